/* gate.h: the one way in. The order of defence:
 * path > method > parameters > connection > statements > reply. */
#ifndef TAKINGS_CGI_GATE_H
#define TAKINGS_CGI_GATE_H

#include "cgi-bin/routes.h"

/* Compiles every template of the route table and, where the database can be
 * reached, checks their names against the columns of their statements.
 * ERR_CONFIG names template, line and name. */
MUST_CHECK enum err gate_init(struct web *w, struct errbuf *eb);
void gate_fini(void);

/* A fcgi_handler; `arg` is a struct web. */
void gate_handle(const struct request *req, struct reply *reply, void *arg);

#endif
