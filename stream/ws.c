/* ws.c: the WebSockets: one thread, a unix socket, nginx before it. nginx has asked takings-web
 * who comes, and says by a header of its own what they may see (nginx/server.conf).
 *
 * A client is a number: the last picture it got. When there is a new one, once a second at most,
 * and it may be written to, it gets what has changed since. So a slow one gets less often more, and
 * none makes us keep anything; lws holds at most the rest of one message for it. */
#include <errno.h>
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "stream/hub.h"
#include "stream/parts.h"

enum {
	TICK_MS = 100,
	BEAT_MS = 15000,
	LIFE_MS = 600000,      /* then it is asked anew whether they still may */
	INCOMING_BYTES = 1024, /* of a message, which is not read */
	SPARE_FDS = 512,       /* of the other parts, and for clients that are told that it is full */
	MESSAGES = 8,
	GOODBYE_MS = 2000,
};

enum close_code { GOING_AWAY = 1001, TOO_BIG = 1009, COME_AGAIN = 1012, FULL = 1013 };

/* Made once for all who saw the same picture last. */
struct message {
	int64_t since;
	enum picture_view view;
	struct buf text; /* after LWS_PRE bytes for lws; empty: none */
};

struct server {
	struct part *part;
	struct lws_context *context;
	struct picture *picture; /* the newest, NULL before the first */
	struct message messages[MESSAGES];
	int messages_at;
	struct buf beat;
	int open, limit; /* clients, without those that are refused */
	bool closing;
	int64_t beat_ms; /* when the next heartbeat is due */
	int beats;       /* how many there were */
	lws_sorted_usec_list_t tick;
};

struct client {
	enum picture_view view;
	int64_t seen; /* number of the last picture; -1: none that is known */
	bool greeted; /* it got its first one */
	int64_t until_ms;
	size_t received; /* bytes of the message that is coming in */
	int beats;       /* how many it had, counted as the server does */
	bool refused;
};

static struct server *server_of(struct lws *wsi)
{
	return lws_context_user(lws_get_context(wsi));
}

/* ---- messages ------------------------------------------------------------------ */

static void begin_text(struct buf *text)
{
	static const char room[LWS_PRE] = {0};
	buf_clear(text);
	buf_put(text, room, sizeof room);
}

static void forget_messages(struct server *s)
{
	for (int i = 0; i < MESSAGES; i++)
		buf_clear(&s->messages[i].text);
}

static struct buf *find_message(struct server *s, enum picture_view view, int64_t since)
{
	for (int i = 0; i < MESSAGES; i++) {
		struct message *m = &s->messages[i];
		if (m->text.len && m->since == since && m->view == view)
			return &m->text;
	}
	struct message *m = &s->messages[s->messages_at++ % MESSAGES];
	m->since = since;
	m->view = view;
	begin_text(&m->text);
	picture_message(s->picture, view, since, &m->text);
	return &m->text;
}

/* lws puts the head of the frame before it, and changes nothing else. */
static int write_text(struct lws *wsi, struct buf *text)
{
	size_t n = text->len - LWS_PRE;
	return lws_write(wsi, (unsigned char *)text->data + LWS_PRE, n, LWS_WRITE_TEXT) < (int)n ? -1
	                                                                                         : 0;
}

/* ---- one client ------------------------------------------------------------------ */

static int say_goodbye(struct lws *wsi, enum close_code code)
{
	lws_close_reason(wsi, (enum lws_close_status)code, NULL, 0);
	return -1;
}

/* What nginx says; an unknown word, or none, is the least. */
static enum picture_view view_of(struct lws *wsi)
{
	static const char *const views[PICTURE_VIEWS] = {"plain", "full", "plain bookings",
	                                                 "full bookings"};
	char words[32];
	int n = lws_hdr_custom_copy(wsi, words, sizeof words, "x-takings-live:", 15);
	for (int view = 0; n > 0 && view < PICTURE_VIEWS; view++)
		if (strcmp(words, views[view]) == 0)
			return (enum picture_view)view;
	return VIEW_PLAIN;
}

static int64_t since_of(struct lws *wsi)
{
	char text[32];
	int64_t since;
	const char *p = lws_get_urlarg_by_name(wsi, "since=", text, sizeof text);
	return p && num_parse_int(p, 0, INT64_MAX, &since) ? since : -1;
}

static void welcome(struct lws *wsi, struct client *c)
{
	struct server *s = server_of(wsi);
	int64_t now_ms = clock_mono_ms();
	/* Spread, so that they do not all come again at once. */
	*c = (struct client){.view = view_of(wsi),
	                     .seen = since_of(wsi),
	                     .beats = s->beats,
	                     .refused = s->open >= s->limit,
	                     .until_ms = now_ms + LIFE_MS - random() % (LIFE_MS / 4)};
	if (!c->refused)
		stat_set(STAT_CLIENTS, ++s->open);
	(void)lws_callback_on_writable(wsi);
}

static void forget(struct server *s, const struct client *c)
{
	if (!c->refused)
		stat_set(STAT_CLIENTS, --s->open);
}

static int send_picture(struct server *s, struct lws *wsi, struct client *c)
{
	if (!picture_knows(s->picture, c->seen))
		c->seen = -1;
	struct buf *text = find_message(s, c->view, c->seen);
	c->seen = picture_seq(s->picture);
	c->greeted = true;
	stat_add(STAT_PUSHES, 1);
	if (c->beats != s->beats)
		(void)lws_callback_on_writable(wsi);
	return write_text(wsi, text);
}

static int send_next(struct lws *wsi, struct client *c)
{
	struct server *s = server_of(wsi);
	if (s->closing)
		return say_goodbye(wsi, GOING_AWAY);
	if (c->refused)
		return say_goodbye(wsi, FULL);
	if (clock_mono_ms() >= c->until_ms)
		return say_goodbye(wsi, COME_AGAIN);
	if (!s->picture)
		return 0;
	if (!c->greeted || c->seen != picture_seq(s->picture))
		return send_picture(s, wsi, c);
	if (c->beats == s->beats)
		return 0;
	c->beats = s->beats;
	begin_text(&s->beat);
	picture_heartbeat(s->picture, &s->beat);
	return write_text(wsi, &s->beat);
}

/* Nobody has to tell us anything. */
static int take_in(struct lws *wsi, struct client *c, size_t n)
{
	c->received += n;
	if (c->received > INCOMING_BYTES)
		return say_goodbye(wsi, TOO_BIG);
	if (lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0)
		c->received = 0;
	return 0;
}

/* ---- all of them ------------------------------------------------------------------- */

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t n);

static const struct lws_protocols protocols[] = {
	{"takings-live", on_event, sizeof(struct client), 256, 0, NULL, 0},
	{NULL, NULL, 0, 0, 0, NULL, 0},
};

static void look(struct server *s)
{
	struct picture *p = hub_picture();
	bool is_new = p && p != s->picture;
	picture_release(s->picture);
	s->picture = p;
	if (!is_new)
		return;
	forget_messages(s);
	(void)lws_callback_on_writable_all_protocol(s->context, &protocols[0]);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t n)
{
	(void)in;
	switch (reason) {
	case LWS_CALLBACK_HTTP:
		(void)lws_return_http_status(wsi, HTTP_STATUS_NOT_FOUND, NULL);
		return -1;
	case LWS_CALLBACK_ESTABLISHED:
		welcome(wsi, user);
		return 0;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return send_next(wsi, user);
	case LWS_CALLBACK_RECEIVE:
		return take_in(wsi, user, n);
	case LWS_CALLBACK_CLOSED:
		forget(server_of(wsi), user);
		return 0;
	case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
		look(server_of(wsi));
		return 0;
	default:
		return 0;
	}
}

static void on_tick(lws_sorted_usec_list_t *tick)
{
	struct server *s = lws_container_of(tick, struct server, tick);
	int64_t now_ms = clock_mono_ms();
	if (now_ms >= s->beat_ms) {
		s->beat_ms = now_ms + BEAT_MS;
		s->beats++;
		(void)lws_callback_on_writable_all_protocol(s->context, &protocols[0]);
	}
	lws_sul_schedule(s->context, 0, tick, on_tick, TICK_MS * LWS_US_PER_MS);
}

static void on_new_picture(void *context)
{
	lws_cancel_service(context);
}

/* ---- the socket ---------------------------------------------------------------------- */

static void put_log(int level, const char *line)
{
	char text[256];
	(void)snprintf(text, sizeof text, "%.*s", (int)strcspn(line, "\n"), line);
	LOG(level == LLL_ERR ? LOG_WARNING : LOG_DEBUG, "websockets", LOG_STR("detail", text), LOG_END);
}

/* How many clients there may be: as many as there can be descriptors. lws makes a table of as many
 * as the process may have; told another number (fd_limit_per_thread) it would search it. */
static int allow_fds(int wanted)
{
	struct rlimit limit;
	rlim_t need = (rlim_t)wanted + SPARE_FDS;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return wanted;
	limit.rlim_cur = limit.rlim_max < need ? limit.rlim_max : need;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur >= need)
		return wanted;
	LOG(LOG_WARNING, "few_descriptors", LOG_INT("limit", limit.rlim_cur), LOG_END);
	return limit.rlim_cur > 2 * SPARE_FDS ? (int)limit.rlim_cur - SPARE_FDS : SPARE_FDS;
}

static struct lws_context *listen_at(struct server *s, const char *path)
{
	static const struct lws_retry_bo liveness = {.secs_since_valid_ping = 20,
	                                             .secs_since_valid_hangup = 60};
	struct lws_context_creation_info info = {
		.port = 0,
		.iface = path,
		.protocols = protocols,
		.user = s,
		.options = LWS_SERVER_OPTION_UNIX_SOCK,
		.max_http_header_pool = 64,
		.timeout_secs = 5,
		.retry_and_idle_policy = &liveness,
	};
	return lws_create_context(&info);
}

/* In the place of the one before, if there is one: who connected there stays there. */
static enum err open_socket(struct server *s, const char *path, struct stat *made,
                            struct errbuf *eb)
{
	char own[108]; /* as long as the address of a unix socket may be */
	int n = snprintf(own, sizeof own, "%s.%d", path, (int)getpid());
	if (n < 0 || n >= (int)sizeof own)
		return err_set_field(eb, ERR_CONFIG, "STREAM_SOCKET",
		                     "STREAM_SOCKET: the path is longer than an address may be");
	s->context = listen_at(s, own);
	if (s->context && chmod(own, 0660) == 0 && stat(own, made) == 0 && rename(own, path) == 0)
		return ERR_OK;
	if (s->context)
		lws_context_destroy(s->context);
	s->context = NULL;
	return err_set_field(eb, ERR_IO, "STREAM_SOCKET", "cannot listen at %s", path);
}

static void remove_socket(const char *path, const struct stat *made)
{
	struct stat now;
	if (stat(path, &now) == 0 && now.st_dev == made->st_dev && now.st_ino == made->st_ino)
		(void)unlink(path);
}

/* ---- the part -------------------------------------------------------------------------- */

static void serve(struct server *s)
{
	hub_tell(on_new_picture, s->context);
	look(s);
	lws_sul_schedule(s->context, 0, &s->tick, on_tick, TICK_MS * LWS_US_PER_MS);
	while (!part_stopping(s->part) && lws_service(s->context, 0) >= 0)
		;
	hub_tell(NULL, NULL);
	s->closing = true;
	(void)lws_callback_on_writable_all_protocol(s->context, &protocols[0]);
	for (int64_t end_ms = clock_mono_ms() + GOODBYE_MS; s->open && clock_mono_ms() < end_ms;)
		if (lws_service(s->context, 0) < 0)
			break;
}

static void clear(struct server *s)
{
	if (s->context)
		lws_context_destroy(s->context);
	picture_release(s->picture);
	for (int i = 0; i < MESSAGES; i++)
		buf_fini(&s->messages[i].text);
	buf_fini(&s->beat);
}

static void run(struct part *part)
{
	const char *path = conf_str(part_conf(part), CONF_STREAM_SOCKET);
	lws_set_log_level(LLL_ERR | LLL_WARN, put_log);
	int limit = allow_fds((int)conf_int(part_conf(part), CONF_LIVE_CLIENTS));
	do {
		struct errbuf eb = {0};
		struct stat made = {0};
		struct server s = {.part = part, .limit = limit, .beat_ms = clock_mono_ms() + BEAT_MS};
		if (open_socket(&s, path, &made, &eb) == ERR_OK) {
			part_say(part, HEALTH_OK, "");
			part_recovered(part);
			serve(&s);
			remove_socket(path, &made);
		} else {
			part_say_error(part, HEALTH_DEGRADED, &eb);
		}
		clear(&s);
	} while (!part_back_off(part));
}

const struct part_kind part_ws = {"ws", PART_LAST, NULL, run};
