/* bookings.c: figures of events and bookings over HTTP. */
#include "cgi-bin/bookings.h"

#include <sodium.h>
#include <string.h>

#include "base/json_text.h"
#include "base/num.h"
#include "cgi-bin/call.h"

static bool is_text(const char *s, size_t n)
{
	size_t at = 0, len;
	while (at < n && s[at] != '\0' && (len = utf8_char_len(s + at, n - at)) > 0)
		at += len;
	return at == n;
}

/* By name the key is a text, else a whole number; in microseconds all these are times the database
 * has, from 1199 BC on. */
static bool is_key(const char *sort, const char *key)
{
	const int64_t least = INT64_C(-100000000000000000), most = INT64_MAX / 4;
	int64_t n;
	return strncmp(sort, "name", 4) == 0 || num_parse_int(key, least, most, &n);
}

static bool read_cursor(struct call *c, const char *cursor, const char *sort)
{
	size_t room = strlen(cursor) + 1, n, sort_n = strlen(sort);
	int64_t id;
	char *raw = arena_alloc(c->req->arena, room), *id_text = raw + sort_n + 1;
	if (sodium_base642bin((unsigned char *)raw, room - 1, cursor, room - 1, NULL, &n, NULL,
	                      sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
	    !is_text(raw, n))
		return false;
	raw[n] = '\0';
	if (n <= sort_n || memcmp(raw, sort, sort_n) != 0 || raw[sort_n] != ':')
		return false;
	char *key = strchr(id_text, ':');
	if (key)
		*key++ = '\0';
	if (!num_parse_int(id_text, 1, INT64_MAX, &id) || (key && !is_key(sort, key)))
		return false;
	call_param_set(c, "after_id", id_text);
	call_param_set(c, "after_key", key);
	return true;
}

static const char *week_start(const struct conf *conf)
{
	const char *day = conf_str(conf, CONF_WEEK_START);
	return strcmp(day, "sunday") == 0 ? "7" : strcmp(day, "saturday") == 0 ? "6" : "1";
}

void bookings_page_handle(struct call *c)
{
	call_param_set(c, "week_start", week_start(c->conf));
}

bool bookings_are_for(const struct identity *who, const struct conf *conf)
{
	static const struct route as = {
		.access = ACCESS_ADMIN, .scopes = SCOPE_ADMIN, .opened_by = CONF_BOOKINGS_ROLE};
	return identity_may(who, &as, conf);
}

void bookings_handle(struct call *c)
{
	struct errbuf eb = {0};
	const char *cursor = call_param(c, "cursor"), *sort = call_param(c, "sort");
	call_param_set(c, "week_start", week_start(c->conf));
	if (!cursor || read_cursor(c, cursor, sort))
		return;
	(void)err_set_field(&eb, ERR_INVALID, "cursor",
	                    "cursor must be the next_cursor of an answer with the same sort");
	call_refuse(c, 0, NULL, &eb);
	c->handled = true;
}
