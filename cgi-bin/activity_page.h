/* activity_page.h: the pages of activity: sessions, the event dictionary, data quality, and their
 * forms, which follow admin.h. */
#ifndef TAKINGS_CGI_ACTIVITY_PAGE_H
#define TAKINGS_CGI_ACTIVITY_PAGE_H

#include "cgi-bin/call.h"

void activity_sessions_page_handle(struct call *c);   /* GET /admin/sessions */
void activity_session_page_handle(struct call *c);    /* GET /admin/sessions/{id} */
void activity_dictionary_page_handle(struct call *c); /* GET /admin/dictionary */
void activity_type_page_handle(struct call *c);       /* GET /admin/dictionary/types/{event_type} */
void activity_type_add_handle(struct call *c);        /* POST /admin/dictionary/types */
void activity_type_write_handle(struct call *c);      /* POST .../types/{event_type} */
void activity_dimension_add_handle(struct call *c);   /* POST /admin/dictionary/dimensions */

void quality_page_handle(struct call *c);         /* GET /admin/quality */
void quarantine_store_handle(struct call *c);     /* POST /admin/quarantine/{quarantine_id}/store */
void quarantine_drop_handle(struct call *c);      /* POST .../drop: confirm */
void quarantine_store_all_handle(struct call *c); /* POST /admin/quarantine/store: reason, field,
                                                   * until */
void quarantine_drop_all_handle(struct call *c);  /* POST /admin/quarantine/drop: and confirm */

#endif
