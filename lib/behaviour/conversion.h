/* conversion.h: how likely a purchase within 7 days is: cells, what happened in them, a table of
 * probabilities made of that, and how well it did. Pure; docs/BEHAVIOUR.md, "Journeys", is the
 * definition. Days are business dates, days since 1970-01-01. */
#ifndef TAKINGS_BEHAVIOUR_CONVERSION_H
#define TAKINGS_BEHAVIOUR_CONVERSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CONVERSION_STEPS = 4,
	CONVERSION_RECENCIES = 6,
	CONVERSION_LOOK_DAYS = 30,  /* of events that are looked at, the day itself included */
	CONVERSION_WITHIN_DAYS = 7, /* of the purchase, the day itself not included */
	CONVERSION_DAYS = 90,       /* that are counted, at most */
	CONVERSION_LEAST_PEOPLE = 100,
	CONVERSION_DECILES = 10
};

/* What an event is to this: its step where it is one. */
enum conversion_kind {
	CONVERSION_OTHER,
	CONVERSION_PRODUCT_VIEW,
	CONVERSION_ADD_TO_CART,
	CONVERSION_CHECKOUT_START,
	CONVERSION_PURCHASE
};

enum conversion_kind conversion_kind_of(const char *event_type);

struct conversion_event {
	int32_t day;
	enum conversion_kind kind;
};

struct conversion_cell {
	int step;    /* 0 to 3 */
	int recency; /* 0: on the day itself, 1: 1 day ago, 2: 2-3, 3: 4-7, 4: 8-14, 5: 15-29 */
	bool buyer;
};

/* Of a person with these events, in order, at the end of `day`; later ones do not count. False: no
 * event in the 30 days. */
bool conversion_cell_at(const struct conversion_event *events, size_t n, int32_t day,
                        struct conversion_cell *out);

/* ---- what happened -------------------------------------------------------------------- */

struct conversion_count {
	int64_t n, converted; /* people and days; those with a purchase in the 7 days after */
};

struct conversion_counts {
	struct conversion_count of[CONVERSION_STEPS][CONVERSION_RECENCIES][2];
};

/* Days from..to, the second included; where to < from there are none. */
struct conversion_range {
	int32_t from, to;
};

/* The days that are counted where everything from `first` to `last` is known; *n days. */
struct conversion_range conversion_days(int32_t first, int32_t last, int *n);

/* Of these the first two thirds, which a table is made from that the others judge. */
struct conversion_range conversion_earlier(struct conversion_range days);
struct conversion_range conversion_later(struct conversion_range days);

/* Adds what a person with these events, in order, was on the days, and what came. True: on one of
 * them at least. */
bool conversion_take(const struct conversion_event *events, size_t n, struct conversion_range days,
                     struct conversion_counts *to);

void conversion_add(struct conversion_counts *to, const struct conversion_counts *more);

/* ---- the table -------------------------------------------------------------------------- */

struct conversion_rate {
	struct conversion_count count;
	double p; /* 0 where nothing was counted at all */
};

/* Cells, and those without their last properties. */
struct conversion_model {
	struct conversion_rate all, by_step[CONVERSION_STEPS],
		by_recency[CONVERSION_STEPS][CONVERSION_RECENCIES],
		cells[CONVERSION_STEPS][CONVERSION_RECENCIES][2];
};

void conversion_model_make(const struct conversion_counts *counts, struct conversion_model *out);

/* ---- how well it did --------------------------------------------------------------------- */

struct conversion_decile {
	int decile; /* 1 to 10, by what was said */
	int64_t n, converted;
	double said; /* mean */
};

struct conversion_quality {
	int64_t n, converted;
	double brier, brier_base, base_rate; /* base: always saying what the table says of all */
	int deciles_n;
	struct conversion_decile deciles[CONVERSION_DECILES]; /* without those nobody is in */
};

/* Of later days. A cell is in one decile as a whole: that in which its middle lies. False: the
 * table, or the later days, have nobody. */
bool conversion_judge(const struct conversion_model *model, const struct conversion_counts *later,
                      struct conversion_quality *out);

#endif
