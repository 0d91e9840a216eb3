/* assets.h: the SQL and template files carried inside the programs.
 * The table is generated at build time by tools/embed.sh. */
#ifndef TAKINGS_BASE_ASSETS_H
#define TAKINGS_BASE_ASSETS_H

struct asset {
	const char *path; /* as in the source tree, "sql/queries/items.sql" */
	const char *text;
};

/* Sorted by path; the last row has path NULL. */
extern const struct asset assets[];

/* Of the files in static/css and static/js: what a page adds to their addresses (?v=), so
 * that browsers may keep them until they change. */
extern const char assets_version[];

#endif
