/* gate.h: the one way in. The order of defence: path > method > feature > identity > limits >
 * access > parameters > forms > handler > cache > statements > reply. */
#ifndef TAKINGS_CGI_GATE_H
#define TAKINGS_CGI_GATE_H

#include "cgi-bin/call.h"

/* A fcgi_handler; `arg` is a struct web. */
void gate_handle(const struct request *req, struct reply *reply, void *arg);

#endif
