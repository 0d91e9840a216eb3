/* track_copy.c URL CONNECTIONS ROWS SECONDS: bare COPY of tracked events: each connection writes
 * transactions of so many rows of text into activity_event and does nothing else. Prints rows a
 * second. */
#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/num.h"

static const char COPY[] =
	"COPY activity_event (seq, event_id, event_type, occurred_at, claimed_at, received_at, flags, "
	"key_id,"
	" user_id, anonymous_id, session_id, session_key, dims, price, quantity, currency, properties)"
	" FROM STDIN";

struct job {
	const char *url;
	int64_t rows, until_ms, first;
	pthread_t thread;
};

static atomic_llong written;

enum { SEQ_DIGITS = 19 };

/* The same event as POST /events/batch is sent in this bench; `n` is its place, as there. Its seq
 * comes with each transaction anew. */
static void put_row(struct buf *b, int64_t n, const char *now)
{
	uint64_t mixed = (uint64_t)n * UINT64_C(0x9e3779b97f4a7c15);
	buf_printf(
		b,
		"%0*d\t%08x-%04x-7%03x-8%03x-%012llx\tproduct_view\t%s\t%s\t%s\t1\t1\tuser_%lld\ta-5f1c\t"
		"sess_%lld\t%lld\t",
		SEQ_DIGITS, 0, (unsigned)(mixed >> 32), (unsigned)(mixed & 0xffff),
		(unsigned)(mixed >> 16 & 0xfff), (unsigned)(mixed >> 8 & 0xfff),
		(unsigned long long)(mixed >> 16), now, now, now, (long long)n, (long long)n,
		(long long)mixed);
	buf_puts(
		b, "{/products/headphones,google.com,NULL,NULL,NULL,electronics,401,NULL}\t89.90\t1\tEUR\t"
		   "{\"category\":\"electronics\",\"currency\":\"EUR\",\"page\":\"/products/headphones\","
		   "\"price\":\"89.90\",\"product_id\":\"401\",\"quantity\":1,"
		   "\"referrer\":\"https://www.google.com/\"}\n");
}

static void set_seq(char *at, int64_t seq)
{
	for (int i = SEQ_DIGITS - 1; i >= 0; i--, seq /= 10)
		at[i] = (char)('0' + seq % 10);
}

static void *job_main(void *arg)
{
	struct job *job = arg;
	struct buf b;
	char now[CLOCK_TEXT];
	size_t *places = mem_alloc((size_t)job->rows * sizeof *places);
	PGconn *conn = PQconnectdb(job->url);
	buf_init(&b);
	clock_format_utc(clock_now_us(), now);
	for (int64_t i = 0; i < job->rows; i++) {
		places[i] = b.len;
		put_row(&b, i + 1, now);
	}
	while (clock_mono_ms() < job->until_ms) {
		for (int64_t i = 0; i < job->rows; i++)
			set_seq(b.data + places[i], job->first++);
		PQclear(PQexecParams(conn, COPY, 0, NULL, NULL, NULL, NULL, 0));
		bool sent = PQputCopyData(conn, b.data, (int)b.len) == 1 && PQputCopyEnd(conn, NULL) == 1;
		PGresult *res = PQgetResult(conn);
		if (!sent || PQresultStatus(res) != PGRES_COMMAND_OK) {
			(void)fputs(PQerrorMessage(conn), stderr);
			exit(2);
		}
		PQclear(res);
		PQclear(PQgetResult(conn));
		atomic_fetch_add(&written, job->rows);
	}
	PQfinish(conn);
	buf_fini(&b);
	free(places);
	return NULL;
}

int main(int argc, char **argv)
{
	struct job jobs[64];
	int64_t n, rows, seconds;
	if (argc != 5 || !num_parse_int(argv[2], 1, 64, &n) ||
	    !num_parse_int(argv[3], 1, 65536, &rows) || !num_parse_int(argv[4], 1, 3600, &seconds)) {
		(void)fputs("track_copy URL CONNECTIONS ROWS SECONDS\n", stderr);
		return 2;
	}
	int64_t begun_ms = clock_mono_ms();
	for (int64_t i = 0; i < n; i++) {
		jobs[i] = (struct job){argv[1], rows, begun_ms + seconds * 1000, 0, 0};
		jobs[i].first = clock_now_us() * 1000 + i * 10000000; /* nobody else's */
		if (pthread_create(&jobs[i].thread, NULL, job_main, &jobs[i]) != 0)
			return 2;
	}
	for (int64_t i = 0; i < n; i++)
		(void)pthread_join(jobs[i].thread, NULL);
	(void)printf("%.0f\n", (double)written * 1000 / (double)(clock_mono_ms() - begun_ms));
	return 0;
}
