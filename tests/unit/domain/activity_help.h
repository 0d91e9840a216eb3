/* activity_help.h: events to be read by the tests of lib/domain/activity_event.h. */
#ifndef TAKINGS_TESTS_ACTIVITY_HELP_H
#define TAKINGS_TESTS_ACTIVITY_HELP_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time_text.h"
#include "domain/activity_event.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define MINUTE (60 * US_PER_S)
#define HOUR (60 * MINUTE)

static const int64_t NOW = INT64_C(1795197846) * US_PER_S; /* 2026-11-20T18:04:06Z */

static const struct activity_dimension dimensions[] = {
	{1, "page", ""},
	{2, "source", ""},
	{3, "campaign", "utm_campaign"},
	{4, "device", ""},
	{5, "browser", ""},
	{6, "category", "category"},
	{7, "product", "product_id"},
	{8, "region", "region"},
	{16, "plan", "plan"},
};
enum { PAGE, SOURCE, CAMPAIGN, DEVICE, BROWSER, CATEGORY, PRODUCT, REGION, PLAN = 15 };

static const char *const page_params[] = {"category", "page"};
static const struct activity_rules rules = {90, dimensions, COUNT(dimensions), page_params, 2};
static const struct activity_rules ageless = {0, dimensions, 8, NULL, 0};

static struct arena arena;
static struct activity_sender sender;
static struct activity_event got;
static struct errbuf eb;

static inline int begin(void **state)
{
	(void)state;
	arena_init(&arena);
	sender = (struct activity_sender){.received_us = NOW,
	                                  .key_id = 7,
	                                  .trusted = true,
	                                  .device = "",
	                                  .browser = "",
	                                  .host = "shop.example"};
	return 0;
}

static inline int end(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static inline enum err read_under(const struct activity_rules *under, const char *text)
{
	const struct jnode *event;
	eb = (struct errbuf){0};
	enum err rc = jnode_parse(&arena, text, strlen(text), 64, NULL, &event, &eb);
	return rc == ERR_OK ? activity_event_read(&arena, event, under, &sender, &got, &eb) : rc;
}

static inline void fine(const char *text)
{
	if (read_under(&rules, text) != ERR_OK)
		fail_msg("%.300s: %s: %s", text, eb.field, eb.text);
}

static inline void refused(const char *text, const char *field)
{
	enum err rc = read_under(&rules, text);
	if (rc != ERR_INVALID || strcmp(eb.field, field) != 0 || !*eb.text)
		fail_msg("%.300s: %d, field \"%s\" (%s), not %s", text, (int)rc, eb.field, eb.text, field);
}

/* An event with these members more, or these properties. */
static inline const char *with(const char *members)
{
	return arena_printf(&arena, "{\"event_type\":\"page_view\",\"user_id\":\"u1\"%s%s}",
	                    *members ? "," : "", members);
}

static inline const char *having(const char *properties)
{
	return with(arena_printf(&arena, "\"properties\":{%s}", properties));
}

static inline const char *repeat(char c, int n)
{
	char *text = arena_alloc(&arena, (size_t)n + 1);
	memset(text, c, (size_t)n);
	return text;
}

static inline void same_text(const char *is, const char *should)
{
	if (!should)
		assert_null(is);
	else if (!is)
		fail_msg("nothing, not %s", should);
	else
		assert_string_equal(is, should);
}

#endif
