/* ws_load.c: many WebSocket clients in one thread, for the bench:
 *
 *   ws_load SOCKET|PORT CLIENTS SECONDS
 *
 * Opens them at the unix socket of takings-stream or at the port of nginx on this machine, a
 * hundred at a time, writes "open", hears for as long, and prints one line: clients that are still
 * open, pictures, the fewest clients that got one of them, and how long after its time (as_of) it
 * was there: median, 99 of 100, the longest, in ms. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/num.h"

enum {
	HEAD = 128,
	PICTURES = 4096,
	DELAY_MS = 20000,
	EVENTS = 256,
	AT_ONCE = 100,
	DIAL_MS = 60000
};

static const char WELCOME[] = "HTTP/1.1 101";

struct client {
	int fd;
	bool open;       /* the handshake is over */
	char head[HEAD]; /* of the handshake: its last 4 bytes and the WELCOME; of a frame: its first */
	size_t n;        /* bytes there; of the handshake: of its beginning */
	size_t left;     /* of the frame, after those */
};

static struct {
	struct client *clients;
	int clients_n, open_n;
	int dialled_n, gone_n; /* gone: refused, or closed by the other side */
	int64_t first_seq;
	int got[PICTURES]; /* clients that got it */
	int pictures;
	int delays[DELAY_MS + 1]; /* how many of so many ms */
	int64_t delays_n;
} load;

static int fail(const char *what)
{
	perror(what);
	exit(1);
}

static int connect_to(const char *path, int port)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct sockaddr_in far = {.sin_family = AF_INET,
	                          .sin_port = htons((uint16_t)port),
	                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(port ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail("socket");
	(void)snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	if (port ? connect(fd, (const struct sockaddr *)&far, sizeof far) != 0
	         : connect(fd, (const struct sockaddr *)&at, sizeof at) != 0)
		return fail("connect");
	return fd;
}

/* `path` of the socket, or, with a port, of the address. */
static int dial(const char *path, int port)
{
	char hello[512];
	int fd = connect_to(path, port);
	int n = snprintf(hello, sizeof hello,
	                 "GET %s?since= HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
	                 "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	                 "Sec-WebSocket-Version: 13\r\n\r\n",
	                 port ? "/ws/realtime" : "/");
	if (write(fd, hello, (size_t)n) != n)
		return fail("write");
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		return fail("fcntl");
	return fd;
}

/* "2026-11-21T16:15:42.572Z" in ms since 1970. */
static int64_t time_ms(const char *text)
{
	struct tm tm = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S.", &tm);
	return rest ? (int64_t)timegm(&tm) * 1000 + strtol(rest, NULL, 10) : 0;
}

static void hear(const char *head)
{
	const char *seq_at = strstr(head, "\"seq\":"), *time_at = strstr(head, "\"as_of\":\"");
	if (strncmp(head, "{\"type\":\"delta\"", 15) != 0 || !seq_at || !time_at)
		return;
	int64_t seq = strtoll(seq_at + 6, NULL, 10);
	int64_t delay = clock_now_us() / 1000 - time_ms(time_at + 9);
	if (load.first_seq == 0)
		load.first_seq = seq;
	int64_t at = seq - load.first_seq;
	if (at < 0 || at >= PICTURES)
		return;
	if (at >= load.pictures)
		load.pictures = (int)at + 1;
	load.got[at]++;
	load.delays[delay < 0 ? 0 : delay > DELAY_MS ? DELAY_MS : delay]++;
	load.delays_n++;
}

/* Bytes of the frame's own head; 0: not all of it is there yet. A server's frames have no mask. */
static size_t frame_head(const struct client *c, size_t *payload)
{
	const unsigned char *p = (const unsigned char *)c->head;
	if (c->n < 2 || (p[1] == 126 && c->n < 4) || (p[1] == 127 && c->n < 10))
		return 0;
	*payload = p[1];
	if (p[1] == 126)
		*payload = (size_t)p[2] << 8 | p[3];
	for (size_t i = 2; p[1] == 127 && i < 10; i++)
		*payload = (i == 2 ? 0 : *payload << 8) | p[i];
	return p[1] == 126 ? 4 : p[1] == 127 ? 10 : 2;
}

/* Takes one byte of the handshake: it is over with an empty line. One that was refused stays
 * closed. */
static void take_hello(struct client *c, char byte)
{
	if (c->n < sizeof WELCOME - 1)
		c->head[4 + c->n++] = byte;
	memmove(c->head, c->head + 1, 3);
	c->head[3] = byte;
	if (memcmp(c->head, "\r\n\r\n", 4) != 0 ||
	    memcmp(c->head + 4, WELCOME, sizeof WELCOME - 1) != 0)
		return;
	c->open = true;
	load.open_n++;
	c->n = 0;
}

/* Takes some of `n` bytes and says how many. */
static size_t take(struct client *c, const char *bytes, size_t n)
{
	size_t payload = 0, own;
	if (!c->open) {
		take_hello(c, *bytes);
		return 1;
	}
	if (c->left) {
		size_t skip = c->left < n ? c->left : n;
		c->left -= skip;
		return skip;
	}
	c->head[c->n++] = *bytes;
	own = frame_head(c, &payload);
	if (own && (c->n == own + payload || c->n == HEAD - 1)) {
		c->head[c->n] = '\0';
		c->left = own + payload - c->n;
		if ((c->head[0] & 15) == 1)
			hear(c->head + own);
		c->n = 0;
	}
	return 1;
}

static void read_all(struct client *c)
{
	static char bytes[65536];
	ssize_t n;
	while ((n = read(c->fd, bytes, sizeof bytes)) > 0)
		for (size_t at = 0; at < (size_t)n;)
			at += take(c, bytes + at, (size_t)n - at);
	if (n == 0 || errno != EAGAIN) {
		(void)close(c->fd);
		c->fd = -1;
		load.open_n -= c->open;
		load.gone_n++;
	}
}

/* Until the time is over, or fewer than that wait for their handshake. */
static void listen_until(int epoll, int64_t end_ms, int waiting)
{
	struct epoll_event events[EVENTS];
	while (clock_mono_ms() < end_ms && load.dialled_n - load.open_n - load.gone_n >= waiting) {
		int n = epoll_wait(epoll, events, EVENTS, 50);
		for (int i = 0; i < n; i++)
			read_all(events[i].data.ptr);
	}
}

static int part_ms(double part)
{
	int64_t n = 0;
	for (int ms = 0; ms <= DELAY_MS; ms++) {
		n += load.delays[ms];
		if (n && (double)n >= part * (double)load.delays_n)
			return ms;
	}
	return -1;
}

static void report(void)
{
	int fewest = load.clients_n;
	for (int i = 1; i < load.pictures - 1; i++) /* the first and the last may be on their way */
		if (load.got[i] < fewest)
			fewest = load.got[i];
	(void)printf("{\"open\":%d,\"pictures\":%d,\"fewest\":%d,\"p50\":%d,\"p99\":%d,\"most\":%d}\n",
	             load.open_n, load.pictures, fewest, part_ms(0.5), part_ms(0.99), part_ms(1));
}

static void dial_all(int epoll, const char *path, int port)
{
	int64_t end_ms = clock_mono_ms() + DIAL_MS;
	for (int i = 0; i < load.clients_n && clock_mono_ms() < end_ms; i++) {
		struct client *c = &load.clients[i];
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
		c->fd = dial(path, port);
		load.dialled_n++;
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
			(void)fail("epoll_ctl");
		listen_until(epoll, end_ms, AT_ONCE);
	}
	listen_until(epoll, end_ms, 1);
}

/* What was heard until here is of the beginning. */
static void forget(void)
{
	load.first_seq = 0;
	load.pictures = 0;
	load.delays_n = 0;
	memset(load.got, 0, sizeof load.got);
	memset(load.delays, 0, sizeof load.delays);
}

int main(int argc, char **argv)
{
	int64_t clients = 0, seconds = 0, port = 0;
	if (argc != 4 || !num_parse_int(argv[2], 1, 100000, &clients) ||
	    !num_parse_int(argv[3], 1, 3600, &seconds))
		return 2;
	if (!num_parse_int(argv[1], 1, 65535, &port))
		port = 0;
	struct rlimit fds = {(rlim_t)clients + 64, (rlim_t)clients + 64}, now;
	if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur < fds.rlim_cur)
		(void)setrlimit(RLIMIT_NOFILE, &fds);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	load.clients_n = (int)clients;
	load.clients = mem_alloc((size_t)clients * sizeof *load.clients);
	dial_all(epoll, argv[1], (int)port);
	(void)printf("open\n");
	(void)fflush(stdout);
	listen_until(epoll, clock_mono_ms() + 2000, INT_MIN);
	forget();
	listen_until(epoll, clock_mono_ms() + seconds * 1000, INT_MIN);
	report();
	free(load.clients);
	return 0;
}
