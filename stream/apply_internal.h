/* apply_internal.h: what apply.c, apply_copy.c and apply_rules.c share; nobody else includes it. */
#ifndef TAKINGS_STREAM_APPLY_INTERNAL_H
#define TAKINGS_STREAM_APPLY_INTERNAL_H

#include "stream/apply.h"

struct rules_kept;

struct apply {
	struct db *db;
	const struct rules *rules; /* in force when apply_rules was last asked; NULL: never */
	struct rules_kept *kept;   /* all there were */
	int64_t soiled; /* rows that went through the temporary tables since they were cut off */
	bool outdated;  /* the last batch was refused for its rules */
};

/* How many were copied; changes: of which something is said. */
struct copied {
	int64_t changes, names, rows;
};

/* The batch into its temporary tables, within a transaction. */
MUST_CHECK enum err apply_copy(struct db *db, const struct batch *b, const struct rules *r,
                               struct copied *out, struct errbuf *eb);

/* Empties them, at the beginning of a transaction; *soiled: what is left of rows in their files. */
MUST_CHECK enum err apply_clear(struct apply *a, int64_t *soiled, struct errbuf *eb);

/* The site's clock and the meaning of these statuses. */
MUST_CHECK enum err apply_copy_rules(struct db *db, const struct rules *r,
                                     const struct rowset *statuses, struct errbuf *eb);

/* Figures change by what the temporary tables add up to; *changed: some did. */
MUST_CHECK enum err apply_figures(struct db *db, bool *changed, struct errbuf *eb);

/* What the next figures were changed by is read by whoever listens. */
MUST_CHECK enum err apply_tell(struct db *db, struct errbuf *eb);

void apply_rules_free(struct apply *a);

#endif
