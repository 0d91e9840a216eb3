/* redis_link.c: hiredis, with answers read by ourselves: its own way knows neither how long all of
 * an answer may take nor how large it may be. */
#include "stream/redis_link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"

enum { CONNECT_MS = 2000, SEND_MS = 2000 };

struct redis_link {
	redisContext *c;
	const redisReplyObjectFunctions *own; /* hiredis's */
	redisReplyObjectFunctions fn;         /* the same, but for arrays */
	size_t bytes;                         /* of the answer being read */
	int64_t elements;
	bool too_large;
};

/* ---- bounds --------------------------------------------------------------------- */

/* hiredis takes memory for all elements as soon as it is told how many there are. */
static void *create_array(const redisReadTask *task, int elements)
{
	struct redis_link *l = task->privdata;
	l->elements += elements;
	if (l->elements > REDIS_ANSWER_ELEMENTS) {
		l->too_large = true;
		return NULL;
	}
	return l->own->createArray(task, elements);
}

static void begin_answer(struct redis_link *l)
{
	l->bytes = l->c->reader->len - l->c->reader->pos;
	l->elements = 0;
}

/* ---- errors ----------------------------------------------------------------------- */

/* What Redis says goes into logs and tables: printable ASCII is enough of it. */
static void clean(char *out, size_t n, const char *text)
{
	size_t i = 0;
	for (; i + 1 < n && text[i]; i++)
		out[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	out[i] = '\0';
}

static enum err lost(const struct redis_link *l, struct errbuf *eb)
{
	char why[160];
	if (l->too_large)
		return err_set(eb, ERR_BUSY, "Redis sends more than %d MiB at once",
		               REDIS_ANSWER_BYTES >> 20);
	clean(why, sizeof why, l->c->errstr);
	return err_set(eb, ERR_IO, "the connection to Redis is lost: %s", why);
}

/* A refusal. Those of a cluster name other machines. */
static enum err refused(const redisReply *r, struct errbuf *eb)
{
	char text[256], word[32];
	clean(text, sizeof text, r->str);
	(void)snprintf(word, sizeof word, "%.*s", (int)strcspn(text, " "), text);
	if (strcmp(word, "MOVED") == 0 || strcmp(word, "ASK") == 0)
		return err_set_field(eb, ERR_INVALID, word,
		                     "Redis says %s: it is one of a cluster, and has not what is asked for",
		                     word);
	return err_set_field(eb, ERR_INVALID, word, "Redis says: %s", text);
}

/* ---- asking ------------------------------------------------------------------------- */

enum err redis_link_send(struct redis_link *l, const char *const *words, struct errbuf *eb)
{
	int n = 0, done = 0;
	while (words[n])
		n++;
	/* The list of pointers is not written to. */
	int rc = redisAppendCommandArgv(l->c, n, (const char **)(uintptr_t)words, NULL);
	while (rc == REDIS_OK && !done)
		rc = redisBufferWrite(l->c, &done);
	return rc == REDIS_OK ? ERR_OK : lost(l, eb);
}

/* Reads what there is, at most until then. ERR_NOTHING: the time is over. */
static enum err read_more(struct redis_link *l, int64_t until_ms, struct errbuf *eb)
{
	struct pollfd p = {.fd = l->c->fd, .events = POLLIN};
	int64_t left_ms = until_ms - clock_mono_ms();
	int ready = poll(&p, 1, left_ms > 0 ? (int)left_ms : 0);
	if (ready == 0)
		return ERR_NOTHING;
	if (ready < 0)
		return errno == EINTR
		           ? ERR_OK
		           : err_set(eb, ERR_IO, "waiting for Redis: %s", strerrordesc_np(errno));
	size_t before = l->c->reader->len;
	if (redisBufferRead(l->c) != REDIS_OK)
		return lost(l, eb);
	l->bytes += l->c->reader->len - before;
	l->too_large = l->bytes > REDIS_ANSWER_BYTES;
	return l->too_large ? lost(l, eb) : ERR_OK;
}

enum err redis_link_next(struct redis_link *l, int wait_ms, redisReply **out, struct errbuf *eb)
{
	int64_t until_ms = clock_mono_ms() + wait_ms;
	void *reply = NULL;
	enum err rc = ERR_OK;
	*out = NULL;
	for (;;) {
		if (redisGetReplyFromReader(l->c, &reply) != REDIS_OK)
			return lost(l, eb);
		if (reply)
			break;
		rc = read_more(l, until_ms, eb);
		if (rc != ERR_OK)
			return rc;
	}
	begin_answer(l);
	*out = reply;
	if ((*out)->type == REDIS_REPLY_ERROR) {
		rc = refused(*out, eb);
		freeReplyObject(*out);
		*out = NULL;
	}
	return rc;
}

enum err redis_link_ask(struct redis_link *l, const char *const *words, int wait_ms,
                        redisReply **out, struct errbuf *eb)
{
	redisReply *reply = NULL;
	enum err rc = redis_link_send(l, words, eb);
	if (rc == ERR_OK)
		rc = redis_link_next(l, wait_ms, &reply, eb);
	if (rc == ERR_NOTHING)
		rc = err_set(eb, ERR_TIMEOUT, "Redis does not answer");
	if (out)
		*out = reply;
	else if (reply)
		freeReplyObject(reply);
	return rc;
}

/* ---- opening -------------------------------------------------------------------------- */

static struct timeval timeval_of(int ms)
{
	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
}

static enum err connect_to(struct redis_link *l, const struct redis_address *at, struct errbuf *eb)
{
	char why[160];
	struct timeval wait = timeval_of(CONNECT_MS);
	l->c = *at->host == '/' ? redisConnectUnixWithTimeout(at->host, wait)
	                        : redisConnectWithTimeout(at->host, at->port, wait);
	must(l->c); /* NULL: out of memory */
	clean(why, sizeof why, l->c->errstr);
	if (l->c->err || redisSetTimeout(l->c, timeval_of(SEND_MS)) != REDIS_OK)
		return err_set(eb, ERR_IO, "Redis cannot be reached: %s", why);
	if (*at->host != '/')
		(void)redisEnableKeepAlive(l->c);
	l->own = l->c->reader->fn;
	l->fn = *l->own;
	l->fn.createArray = create_array;
	l->c->reader->fn = &l->fn;
	l->c->reader->privdata = l;
	return ERR_OK;
}

/* Never what Redis says of it: an unknown command is repeated with its arguments. */
static enum err say_who(struct redis_link *l, const struct redis_address *at, struct errbuf *eb)
{
	struct errbuf why = {0};
	const char *const by_password[] = {"AUTH", at->password, NULL};
	const char *const by_both[] = {"AUTH", at->user, at->password, NULL};
	if (!*at->password && !*at->user)
		return ERR_OK;
	enum err rc = redis_link_ask(l, *at->user ? by_both : by_password, REDIS_ANSWER_MS, NULL, &why);
	if (rc == ERR_INVALID && strcmp(why.field, "WRONGPASS") == 0)
		return err_set(eb, ERR_CONFIG, "Redis refuses the password (REDIS_PASSWORD, REDIS_URL)");
	if (rc == ERR_INVALID)
		return err_set(
			eb, ERR_CONFIG,
			"Redis refuses AUTH (REDIS_PASSWORD, REDIS_URL): the password is wrong, it has"
			" none, or knows no users");
	return rc == ERR_OK ? ERR_OK : err_set(eb, rc, "%s", why.text);
}

static enum err choose_db(struct redis_link *l, const struct redis_address *at, struct errbuf *eb)
{
	char number[16];
	const char *const words[] = {"SELECT", number, NULL};
	(void)snprintf(number, sizeof number, "%d", at->db);
	return at->db ? redis_link_ask(l, words, REDIS_ANSWER_MS, NULL, eb) : ERR_OK;
}

enum err redis_link_open(struct redis_link **out, const struct redis_address *at, struct errbuf *eb)
{
	static const char *const ping[] = {"PING", NULL};
	struct redis_link *l = mem_alloc(sizeof *l);
	*l = (struct redis_link){0};
	enum err rc = connect_to(l, at, eb);
	if (rc == ERR_OK)
		rc = say_who(l, at, eb);
	if (rc == ERR_OK)
		rc = choose_db(l, at, eb);
	if (rc == ERR_OK)
		rc = redis_link_ask(l, ping, REDIS_ANSWER_MS, NULL, eb);
	if (rc == ERR_INVALID && strcmp(eb->field, "NOAUTH") == 0) {
		err_clear(eb);
		rc = err_set(eb, ERR_CONFIG, "Redis wants a password (REDIS_PASSWORD, REDIS_URL)");
	}
	if (rc != ERR_OK)
		redis_link_close(l);
	else
		*out = l;
	return rc;
}

void redis_link_close(struct redis_link *l)
{
	if (!l)
		return;
	redisFree(l->c);
	free(l);
}
