/* live_metrics.c: what the parts of /metrics/... and /reconciliation are asked with. */
#include "cgi-bin/live_metrics.h"

#include <time.h>

#include "base/clock.h"

/* An answer lists every hour of its days: that many are read by nobody. */
enum { DAYS_MOST = 366 };

static int64_t day_number(const char *date)
{
	struct tm tm = {0};
	const char *end = strptime(date, "%Y-%m-%d", &tm);
	must(end != NULL && *end == '\0'); /* parameters are dates by now */
	return (int64_t)timegm(&tm) / 86400;
}

void live_range_handle(struct call *c)
{
	struct errbuf eb = {0};
	const char *from = call_param(c, "from"), *to = call_param(c, "to");
	if (!from || day_number(to) - day_number(from) < DAYS_MOST)
		return;
	(void)err_set_field(&eb, ERR_INVALID, "to", "from and to may be %d days at most", DAYS_MOST);
	call_refuse(c, 0, NULL, &eb);
	c->handled = true;
}

/* Who bought is not for everybody who may see figures: for analysts, administrators and keys of
 * theirs. The parameter is a part of what an answer is kept under. */
void live_personal_handle(struct call *c)
{
	bool may = c->who.role >= ACCESS_ANALYST || (c->who.scopes & SCOPE_ADMIN);
	call_param_set(c, "personal", may ? "t" : "f");
}

void live_realtime_handle(struct call *c)
{
	live_personal_handle(c);
	call_param_set(
		c, "window",
		arena_printf(c->req->arena, "%lld", (long long)conf_int(c->conf, CONF_REALTIME_WINDOW)));
}
