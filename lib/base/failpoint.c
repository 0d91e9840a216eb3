/* failpoint.c: one armed place per process is enough for every test we have. */
#include "base/failpoint.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"

static const char *const names[] = {
#define FAILPOINT(name) #name,
#include "base/failpoint.def"
#undef FAILPOINT
};

static struct {
	int at; /* -1: none armed */
	bool pause;
	int64_t passes_left;
} armed = {.at = -1};

static enum err parse(const char *text, struct errbuf *eb)
{
	const char *eq = strchr(text, '=');
	const char *count = strchr(text, '@');
	for (int i = 0; eq && i < FP_COUNT; i++)
		if (strlen(names[i]) == (size_t)(eq - text) &&
		    strncmp(names[i], text, strlen(names[i])) == 0)
			armed.at = i;
	size_t action_n = eq ? strcspn(eq + 1, "@") : 0;
	armed.pause = action_n == 5 && strncmp(eq + 1, "pause", 5) == 0;
	armed.passes_left = 1;
	bool action = armed.pause || (action_n == 4 && strncmp(eq + 1, "kill", 4) == 0);
	if (armed.at < 0 || !action ||
	    (count && !num_parse_int(count + 1, 1, INT64_MAX, &armed.passes_left)))
		return err_set_field(eb, ERR_CONFIG, "TAKINGS_FAILPOINT",
		                     "'%s' is not NAME=kill@N or NAME=pause@N", text);
	return ERR_OK;
}

enum err failpoint_init(struct errbuf *eb)
{
	const char *text = getenv("TAKINGS_FAILPOINT");
	return text && *text ? parse(text, eb) : ERR_OK;
}

void failpoint_pass(enum failpoint at)
{
	if ((int)at != armed.at || --armed.passes_left != 0)
		return;
	LOG(LOG_WARNING, "failpoint", LOG_STR("name", names[at]), LOG_END);
	while (armed.pause)
		(void)pause();
	(void)kill(getpid(), SIGKILL);
}

const char *failpoint_name(int i)
{
	return i >= 0 && i < FP_COUNT ? names[i] : NULL;
}
