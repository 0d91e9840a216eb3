/* live.h: what happens right now, and who may watch it. */
#ifndef TAKINGS_CGI_LIVE_H
#define TAKINGS_CGI_LIVE_H

#include "cgi-bin/call.h"

/* GET /api/admin/analytics/live and /admin/live: before their parts. */
void live_handle(struct call *c);

/* POST /ws/ticket: a token for one minute, for whoever can put nothing but an address into a
 * WebSocket. */
void live_ticket_handle(struct call *c);

/* GET /ws/auth: nginx asks whether somebody may open a WebSocket: 204 with X-Takings-Live, which
 * says what they may see (full or plain), 401 or 403. Only nginx can ask. */
void live_auth_handle(struct call *c);

#endif
