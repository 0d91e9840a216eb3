/* fcgi_client.h: a FastCGI client written out by hand, so that it can also send what no server
 * would.
 *
 * Records as in the FastCGI specification 1.0, section 3.3. For test_fcgi.c alone. */
#ifndef TAKINGS_TESTS_FCGI_CLIENT_H
#define TAKINGS_TESTS_FCGI_CLIENT_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/buf.h"

enum { BEGIN = 1, ABORT = 2, END = 3, PARAMS = 4, STDIN = 5, STDOUT = 6, GET_VALUES = 9 };

static void put_record(struct buf *b, int type, const void *bytes, size_t n)
{
	const unsigned char head[8] = {
		1, (unsigned char)type, 0, 1, (unsigned char)(n >> 8), (unsigned char)n, 0, 0};
	buf_put(b, head, sizeof head);
	buf_put(b, bytes, n);
}

static void put_begin(struct buf *b, bool keep)
{
	const char body[8] = {0, 1, keep ? 1 : 0}; /* role: responder */
	put_record(b, BEGIN, body, sizeof body);
}

static void put_param(struct buf *b, const char *name, const char *value)
{
	size_t n = strlen(value);
	buf_putc(b, (char)strlen(name));
	if (n < 128) {
		buf_putc(b, (char)n);
	} else {
		const char length[4] = {(char)(0x80 | n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n};
		buf_put(b, length, 4);
	}
	buf_puts(b, name);
	buf_puts(b, value);
}

static void put_params(struct buf *b, const char *method, const char *uri, const char *length)
{
	struct buf params;
	buf_init(&params);
	put_param(&params, "REQUEST_METHOD", method);
	const char *query = strchr(uri, '?');
	char *only = strndup(uri, query ? (size_t)(query - uri) : strlen(uri));
	put_param(&params, "DOCUMENT_URI", only);
	put_param(&params, "QUERY_STRING", query ? query + 1 : "");
	put_param(&params, "CONTENT_LENGTH", length);
	put_record(b, PARAMS, params.data, params.len);
	put_record(b, PARAMS, "", 0);
	free(only);
	buf_fini(&params);
}

static void put_body(struct buf *b, const char *body, size_t n)
{
	for (size_t at = 0; at < n; at += 32768)
		put_record(b, STDIN, body + at, n - at < 32768 ? n - at : 32768);
	put_record(b, STDIN, "", 0);
}

static bool send_all(int fd, const char *bytes, size_t n)
{
	while (n) {
		ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		bytes += sent;
		n -= (size_t)sent;
	}
	return true;
}

static bool send_request(int fd, bool keep, const char *method, const char *uri, const char *body,
                         size_t n)
{
	struct buf b;
	char length[24] = "";
	buf_init(&b);
	if (n)
		(void)snprintf(length, sizeof length, "%zu", n);
	put_begin(&b, keep);
	put_params(&b, method, uri, length);
	put_body(&b, body, n);
	bool sent = send_all(fd, b.data, b.len);
	buf_fini(&b);
	return sent;
}

static bool read_all(int fd, void *into, size_t n)
{
	for (char *p = into; n;) {
		ssize_t got = recv(fd, p, n, 0);
		if (got <= 0)
			return false;
		p += got;
		n -= (size_t)got;
	}
	return true;
}

/* The reply up to its END record; false if the connection ended before. */
static bool read_reply(int fd, struct buf *out)
{
	unsigned char head[8];
	char *body = mem_alloc(65536 + 256);
	buf_clear(out);
	while (read_all(fd, head, sizeof head)) {
		size_t n = (size_t)head[4] << 8 | head[5];
		if (!read_all(fd, body, n + head[6]))
			break;
		if (head[1] == STDOUT)
			buf_put(out, body, n);
		if (head[1] == END) {
			free(body);
			return true;
		}
	}
	free(body);
	return false;
}

static bool has_status(const struct buf *reply, int status)
{
	char line[32];
	(void)snprintf(line, sizeof line, "Status: %d\r\n", status);
	return strncmp(buf_str(reply), line, strlen(line)) == 0;
}

static const char *body_of(const struct buf *reply)
{
	const char *blank = strstr(buf_str(reply), "\r\n\r\n");
	return blank ? blank + 4 : "";
}

#endif
