/* feature.h: parts that can be switched on and off. */
#ifndef TAKINGS_CGI_FEATURE_H
#define TAKINGS_CGI_FEATURE_H

#include "base/conf.h"

struct feature {
	const char *name; /* in /info */
	int setting;      /* CONF_ENABLE_...; 0: it has none */
	bool elsewhere;   /* it is a part of another program, whose settings say whether it works */
};

/* NULL past the last one. */
const struct feature *feature_get(int i);

/* ERR_NOT_FOUND where the setting switches it off. 0 is always on. */
MUST_CHECK enum err feature_check(int setting, const struct conf *conf, struct errbuf *eb);

#endif
