/* decode_help.h: for the tests of the decoders: rules of a site, messages in, changes out. */
#ifndef TAKINGS_TESTS_DECODE_HELP_H
#define TAKINGS_TESTS_DECODE_HELP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "stream/decode.h"
#include "stream/row.h"

/* The site in UTC, cut off at midnight; order_db's clock one hour ahead of UTC, two from 2025-03-30
 * 02:00 on. */
static struct clock_piece help_utc[] = {{INT64_MIN, 0}};
static struct clock_piece help_order[] = {{INT64_MIN, -3600}, {1743300000, -7200}};
static char help_counted[] = "";
static struct rules help_rules = {.timezone = "UTC",
                                  .order_db_timezone = "Europe/Berlin",
                                  .profile = "commerce",
                                  .currency = "EUR",
                                  .counted = help_counted,
                                  .location = 7,
                                  .utc = {help_utc, 1},
                                  .order = {help_order, 2},
                                  .currencies = {{"JPY", 0}, {"KWD", 3}},
                                  .currencies_n = 2};

/* What came of a message. */
struct help {
	struct decoder d;
	struct changes *changes;
	const struct change *const *list;
	size_t n;
	enum err rc;
	bool booking;
	struct errbuf eb;
};

static inline struct help help_new(const char *table)
{
	return (struct help){.d = {.rules = &help_rules, .units = {'u', 2, false}, .table = table},
	                     .changes = changes_new()};
}

static inline void help_free(struct help *h)
{
	changes_free(h->changes);
}

static inline void help_settle(struct help *h)
{
	h->list = changes_sorted(h->changes, &h->n);
}

static inline void help_message(struct help *h, const struct message *m)
{
	changes_clear(h->changes);
	h->eb = (struct errbuf){0};
	h->rc = decode_message(&h->d, m, h->changes, &h->booking, &h->eb);
	help_settle(h);
}

static inline void help_send(struct help *h, const char *key, const char *value, int64_t offset)
{
	struct message m = {.at = {.source = "kafka", .topic = "t", .offset = offset},
	                    .key = key,
	                    .key_n = key ? strlen(key) : 0,
	                    .value = value,
	                    .value_n = value ? strlen(value) : 0};
	help_message(h, &m);
}

/* The nth change of a kind, of those that say something; NULL: none. */
static inline const struct change *help_nth(const struct help *h, enum change_kind kind, size_t nth)
{
	for (size_t i = 0; i < h->n; i++) {
		const struct change *ch = h->list[i];
		bool silent = ch->kind == CHANGE_ORDER && !ch->registers;
		if (ch->kind == kind && !silent && nth-- == 0)
			return ch;
	}
	return NULL;
}

/* What a message says of the first order, line or refund; it must be accepted. */
static inline const struct change *help_accept(struct help *h, enum change_kind kind,
                                               const char *value)
{
	help_send(h, NULL, value, 1);
	if (h->rc != ERR_OK)
		fail_msg("%.600s: %s [%s] %s", value, err_name(h->rc), h->eb.field, h->eb.text);
	const struct change *ch = help_nth(h, kind, 0);
	assert_non_null(ch);
	return ch;
}

static inline void help_refuse(struct help *h, const char *value, enum err rc, const char *field)
{
	help_send(h, NULL, value, 1);
	if (h->rc != rc || strcmp(h->eb.field, field) != 0)
		fail_msg("%.300s: %s [%s] %s, not %s [%s]", value, err_name(h->rc), h->eb.field, h->eb.text,
		         err_name(rc), field);
	assert_int_equal(h->n, 0);
}

#endif
