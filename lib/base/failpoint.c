/* failpoint.c: one armed place per process is enough for every test we have. */
#include "base/failpoint.h"

#include <signal.h>
#include <stdatomic.h>
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

enum action { ACTION_KILL, ACTION_PAUSE, ACTION_STOP, ACTION_ABORT, ACTIONS };

static const char *const actions[] = {"kill", "pause", "stop", "abort"};

static struct {
	int at; /* -1: none armed */
	enum action action;
	_Atomic int64_t passes_left;
} armed = {.at = -1};

static enum action parse_action(const char *word, size_t n)
{
	enum action a = ACTION_KILL;
	while (a < ACTIONS && (strlen(actions[a]) != n || strncmp(actions[a], word, n) != 0))
		a++;
	return a;
}

static enum err parse(const char *text, struct errbuf *eb)
{
	const char *eq = strchr(text, '=');
	const char *count = strchr(text, '@');
	int64_t passes = 1;
	for (int i = 0; eq && i < FP_COUNT; i++)
		if (strlen(names[i]) == (size_t)(eq - text) &&
		    strncmp(names[i], text, strlen(names[i])) == 0)
			armed.at = i;
	armed.action = eq ? parse_action(eq + 1, strcspn(eq + 1, "@")) : ACTIONS;
	if (armed.at < 0 || armed.action == ACTIONS ||
	    (count && !num_parse_int(count + 1, 1, INT64_MAX, &passes)))
		return err_set_field(eb, ERR_CONFIG, "TAKINGS_FAILPOINT",
		                     "'%s' is not NAME=ACTION@N with kill, pause, stop or abort", text);
	armed.passes_left = passes;
	return ERR_OK;
}

enum err failpoint_init(struct errbuf *eb)
{
	const char *text = getenv("TAKINGS_FAILPOINT");
	return text && *text ? parse(text, eb) : ERR_OK;
}

void failpoint_pass(enum failpoint at)
{
	if ((int)at != armed.at || atomic_fetch_sub(&armed.passes_left, 1) != 1)
		return;
	LOG(LOG_WARNING, "failpoint", LOG_STR("name", names[at]), LOG_END);
	if (armed.action == ACTION_ABORT)
		abort();
	while (armed.action == ACTION_PAUSE)
		(void)pause();
	if (armed.action == ACTION_STOP) {
		(void)kill(getpid(), SIGSTOP);
		return;
	}
	(void)kill(getpid(), SIGKILL);
}

const char *failpoint_name(int i)
{
	return i >= 0 && i < FP_COUNT ? names[i] : NULL;
}
