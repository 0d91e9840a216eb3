/* hop SOCKET THREADS FILE: what a request costs that asks nothing: the FastCGI loop of takings-web
 * with one answer for everything. FILE holds its headers, an empty line, and the body. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "web/fcgi.h"

enum { HEADERS = 24 };

struct answer {
	struct pair headers[HEADERS];
	int headers_n;
	const char *body;
	size_t body_len;
};

static void handle(const struct request *req, struct reply *reply, void *arg)
{
	const struct answer *a = arg;
	(void)req;
	for (int i = 0; i < a->headers_n; i++)
		reply_header_set(reply, a->headers[i].name, a->headers[i].value);
	buf_put(&reply->body, a->body, a->body_len);
}

/* The text is cut into pieces where it lies. */
static void read_answer(char *text, size_t n, struct answer *out)
{
	char *line = text;
	*out = (struct answer){0};
	while (*line != '\n') {
		char *end = strchr(line, '\n'), *colon = strstr(line, ": ");
		must(end && colon && colon < end && out->headers_n < HEADERS);
		*end = *colon = '\0';
		out->headers[out->headers_n++] = (struct pair){line, colon + 2};
		line = end + 1;
	}
	out->body = line + 1;
	out->body_len = n - (size_t)(out->body - text);
}

int main(int argc, char **argv)
{
	static char text[1 << 20];
	struct errbuf eb = {0};
	struct fcgi_server *server;
	struct answer answer;
	int64_t threads;
	log_init("hop", LOG_WARNING);
	if (argc != 4 || !num_parse_int(argv[2], 1, FCGI_THREADS_MAX, &threads))
		return 2;
	FILE *f = fopen(argv[3], "re");
	must(f != NULL);
	size_t n = fread(text, 1, sizeof text - 1, f);
	(void)fclose(f);
	read_answer(text, n, &answer);
	enum err rc = fcgi_open(&server, argv[1], (int)threads, handle, &answer, &eb);
	if (rc == ERR_OK)
		rc = fcgi_run(server, &eb);
	if (rc != ERR_OK)
		log_err("stopped", &eb);
	return rc == ERR_OK ? 0 : 1;
}
