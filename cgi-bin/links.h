/* links.h: what the links and forms of a page are made of: its own query with one thing
 * changed, so that the rest of what was asked for stays.
 *
 * For each parameter NAME of the route in the query string a template has
 *   but_NAME      the given ones but this, as "a=1&b=2&", to be followed by another
 *   fields_NAME   the same as a list of name and value, for the hidden fields of a form
 *   is_NAME_WORD  true for the word in force, of a PARAM_WORD
 *   value_NAME    what was given, of a PARAM_TEXT
 * period, date, from and to are one thing, called period; to change it also forgets `step`.
 * A cursor and what a table is saved as are never kept. `nav_query` is what other pages
 * understand too, "?a=1&b=2" or ""; `data_query` what the API understands, "a=1&b=2&". */
#ifndef TAKINGS_CGI_LINKS_H
#define TAKINGS_CGI_LINKS_H

#include "cgi-bin/call.h"
#include "web/tv.h"

void links_put(const struct call *c, struct tv *top);

/* Whether links_put makes this name on a page of the route. */
bool links_makes(const struct route *route, const char *name);

#endif
