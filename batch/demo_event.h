/* demo_event.h: what can be booked at the demo house, and the bookings of it.
 *
 * Each week of the calendar has its events, drawn from the seed and the week alone, with the whole
 * course of every booking; how it stands at an instant is a cut through that course. So what is
 * told again on another day is the same messages, and more of them. Of any 13 weeks one has an
 * event that is overbooked, one an event without a limit, one an event that is cancelled, and one
 * an event that is sold out at once. */
#ifndef TAKINGS_BATCH_DEMO_EVENT_H
#define TAKINGS_BATCH_DEMO_EVENT_H

#include <stdint.h>

#include "batch/demo_zone.h"

enum { DEMO_EVENTS_A_WEEK = 2 };

/* Times are seconds since 1970. */
struct demo_event {
	int64_t id;
	const char *name, *category; /* constants */
	int64_t capacity;            /* 0: not limited */
	int64_t price_tenths;        /* of a seat, in tenths of a euro */
	int64_t created_s, sales_s, starts_s, ends_s;
	int64_t cancelled_s; /* 0: it is held */
	int64_t raised_s;    /* when its capacity was raised by a tenth to what it is; 0: never */
	int64_t wanted;      /* seats that are taken in the end */
	int early, late;     /* bookings in a hundred that come at once, and at the last minute */
};

/* 0: an instant that never comes. */
struct demo_booking {
	int64_t number; /* of the event's bookings, from 1 */
	int64_t user;   /* 1...: somebody who comes again and again; 0: somebody new */
	int64_t seats;
	int64_t created_s, confirmed_s, cancelled_s;
	bool confirmed_at_once; /* confirmed_s is created_s */
};

/* Weeks since 1970, from Monday. */
int64_t demo_event_week(int64_t date);

/* The nth event of a week (from 0); false: it has no such one. */
bool demo_event_draw(int64_t seed, int64_t week, int nth, const struct demo_zone *zone,
                     struct demo_event *out);

/* Told of each booking of the event, whenever it happens. */
typedef void (*demo_booking_fn)(void *arg, const struct demo_event *e,
                                const struct demo_booking *b);
void demo_event_bookings(int64_t seed, const struct demo_event *e, const struct demo_zone *zone,
                         demo_booking_fn fn, void *arg);

#endif
