/* track.h: what users do comes in over HTTP (docs/ACTIVITY.md). */
#ifndef TAKINGS_CGI_TRACK_H
#define TAKINGS_CGI_TRACK_H

#include "cgi-bin/call.h"

/* POST /events/track, POST /events/batch. What is answered as accepted is committed. */
void track_one_handle(struct call *c);
void track_batch_handle(struct call *c);

/* GET /events/{event_id}: what tells who it is only for who may see it. */
void track_event_handle(struct call *c);

#endif
