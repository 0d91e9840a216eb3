/* watch.h: one thread with a connection of its own that hears when figures or rights
 * change (LISTEN), says every ten seconds that the program lives, and finds out when the
 * database is back.
 *
 * What is remembered in process counts only while somebody listens: the epochs grow with
 * every change heard, and with every loss of the connection, when changes may have been
 * missed. Read the epoch first and the data after: then it is never too new. */
#ifndef TAKINGS_CGI_WATCH_H
#define TAKINGS_CGI_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "cgi-bin/call.h"

struct watch_state {
	bool listening;          /* false: remember nothing */
	uint64_t data_epoch;     /* figures */
	uint64_t live_epoch;     /* figures as they happen */
	uint64_t activity_epoch; /* figures of tracked events */
	uint64_t access_epoch;   /* users, sessions, keys */
	int64_t data_version;    /* site.data_version as last heard; 0 before */
};

/* The thread begins; it may take a moment until it listens. */
struct watch *watch_start(struct web *w);
void watch_stop(struct watch *watch);

struct watch_state watch_state_get(struct watch *watch);

/* Something was changed by this very call: do not wait to hear of it. */
void watch_access_changed(struct watch *watch);
void watch_activity_changed(struct watch *watch);

/* Waits until figures of this version are known, at most until `deadline_ms` (monotonic);
 * false if they are not, and at once where a
 * quarter of HTTP_THREADS waits already. */
bool watch_wait_version(struct watch *watch, int64_t version, int64_t deadline_ms);

/* For who waits for something else with a thread of its own: false where too many wait already. */
bool watch_wait_enter(struct watch *watch);
void watch_wait_leave(struct watch *watch);

#endif
