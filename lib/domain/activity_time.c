/* activity_time.c: when an event happened, by its clock and by ours. */
#include "domain/activity_parts.h"

#include <inttypes.h>
#include <string.h>

#include "base/time_text.h"

#define US_PER_MINUTE (60 * US_PER_S)
#define US_PER_HOUR (3600 * US_PER_S)
/* The years 0001 to 9999 */
#define FIRST_US (-719162 * US_PER_DAY)
#define LAST_US (2932897 * US_PER_DAY - 1)

static enum err no_time(struct activity_reading *r, const char *name, const char *why)
{
	return err_set_field(r->eb, ERR_INVALID, name, "%s is %s", name, why);
}

/* A number that is a time of now in seconds is none in milliseconds. */
static enum err from_number(struct activity_reading *r, const char *name, int64_t n, int64_t *us)
{
	if (!time_from_units(n, 'm', us) || *us < FIRST_US || *us > LAST_US)
		return no_time(r, name, "no time in milliseconds since 1970");
	if ((*us < TIME_2000_US || *us >= TIME_2100_US) && time_unit_doubtful(n, 'm'))
		return no_time(r, name, "in another unit than milliseconds since 1970");
	return ERR_OK;
}

static enum err read_time(struct activity_reading *r, const char *name, const struct jnode *v,
                          int64_t *us)
{
	int64_t n;
	if (jnode_int(v, &n))
		return from_number(r, name, n, us);
	enum time_kind kind = jnode_is(v, JNODE_STRING) ? time_parse(v->text, us) : TIME_NONE;
	bool clock = v->n > sizeof "2026-11-20" - 1;
	if ((kind != TIME_INSTANT && kind != TIME_WALL) || !clock || *us < FIRST_US || *us > LAST_US)
		return no_time(r, name,
		               "no time such as 2026-11-20T18:04:05Z, nor milliseconds since 1970");
	return ERR_OK;
}

static bool is_said(const struct jnode *v)
{
	return v && v->kind != JNODE_NULL;
}

static enum err check_age(struct activity_reading *r)
{
	int64_t age = r->out->received_us - r->out->occurred_us;
	int days = r->rules->max_age_days;
	if (r->out->occurred_us < TIME_2000_US)
		return no_time(r, "timestamp", "before the year 2000");
	if (age > US_PER_HOUR)
		r->out->flags |= ACTIVITY_LATE;
	if (days > 0 && age > days * US_PER_DAY)
		return err_set_field(r->eb, ERR_NOTHING, "timestamp",
		                     "timestamp is %" PRId64 " days ago, more than %d", age / US_PER_DAY,
		                     days);
	return ERR_OK;
}

enum err activity_times_read(struct activity_reading *r, const struct jnode *timestamp,
                             const struct jnode *sent_at)
{
	struct activity_event *e = r->out;
	int64_t sent = 0, ahead = 24 * US_PER_HOUR;
	enum err rc = ERR_OK;
	e->occurred_us = e->received_us;
	e->claimed_us = ACTIVITY_NO_TIME;
	if (is_said(sent_at)) {
		rc = read_time(r, "sent_at", sent_at, &sent);
		ahead = 5 * US_PER_MINUTE;
	}
	if (rc != ERR_OK || !is_said(timestamp))
		return rc;
	rc = read_time(r, "timestamp", timestamp, &e->claimed_us);
	if (rc != ERR_OK)
		return rc;
	e->occurred_us = e->claimed_us;
	int64_t skew = e->received_us - sent;
	if (is_said(sent_at) && (skew > US_PER_MINUTE || skew < -US_PER_MINUTE)) {
		e->occurred_us += skew;
		e->flags |= ACTIVITY_SKEWED;
	}
	if (e->occurred_us > e->received_us + ahead) {
		e->occurred_us = e->received_us;
		e->flags |= ACTIVITY_CLAMPED;
	}
	return check_age(r);
}
