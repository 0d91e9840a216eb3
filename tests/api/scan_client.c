/* scan_client.c: goes through sequences as takings-web does: scan_client WORKERS FROM TO WANTED
 * [TIMES [LIMIT_MS]]. Days are numbers since 1970; WANTED is of the letters e(vents), s(essions),
 * a(mounts), digits (dimensions), z (sleeps 1 ms for each person) and w (somebody waits at standard
 * input). Writes what was there as JSON: what adds up whatever the order, and how long it took.
 * MEANWHILE: SQL that another connection runs once all share the snapshot. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/num.h"
#include "db/db.h"
#include "db/statement.h"
#include "domain/sequence_scan.h"

static bool sleepy;
static struct db_limits limits = {.watch_fd = -1};

struct sum {
	int64_t people, days, first_days, events, amount, at_us;
	uint64_t types, sessions, dims, ids;
	bool disorder;
	char room[64]; /* each worker has lines of its own */
};

static void add(void *arg, int worker, const struct sequence *q)
{
	struct sum *s = (struct sum *)arg + worker;
	if (sleepy)
		(void)nanosleep(&(struct timespec){0, 1000000}, NULL);
	s->people++;
	s->ids += (uint64_t)q->person_id;
	s->days += (int64_t)q->days_n;
	s->first_days += q->first_day != INT32_MIN;
	s->events += (int64_t)q->n;
	for (size_t i = 0; i < q->n; i++) {
		s->types += q->type[i];
		s->at_us += q->at_us[i] % 1000003;
		s->disorder = s->disorder || (i && q->at_us[i] < q->at_us[i - 1]);
		s->sessions += q->session ? q->session[i] % 1000003 + q->said[i] : 0;
		s->amount += q->amount && q->amount[i] != SEQUENCE_UNPRICED ? q->amount[i] : 0;
		for (int k = 0; k < SEQUENCE_DIMS_ASKED && q->dims[k]; k++)
			s->dims += (uint64_t)(k + 1) * q->dims[k][i];
	}
}

static struct db *connect_one(const char *begin, struct errbuf *eb)
{
	struct db *db = NULL;
	const struct db_options opt = {.name = "ANALYTICS_DATABASE_URL",
	                               .url = getenv("ANALYTICS_DATABASE_URL"),
	                               .program = "scan_client",
	                               .settings = "-c jit=off"};
	enum err rc = db_open(&db, &opt, eb);
	return rc == ERR_OK && db_command(db, begin, eb) == ERR_OK ? db : NULL;
}

static void read_wanted(struct scan *s, const char *letters)
{
	s->wanted.from_us = INT64_MIN / 2;
	s->wanted.to_us = INT64_MAX / 2;
	for (; *letters; letters++) {
		s->wanted.events = s->wanted.events || *letters == 'e';
		s->wanted.sessions = s->wanted.sessions || *letters == 's';
		s->wanted.amounts = s->wanted.amounts || *letters == 'a';
		sleepy = sleepy || *letters == 'z';
		limits.watch_fd = *letters == 'w' ? 0 : limits.watch_fd;
		if (*letters >= '1' && *letters <= '9')
			s->dims[s->wanted.dims_n++] = *letters - '0';
	}
}

static void print(const struct sum *sums, int n, int64_t us)
{
	struct sum s = sums[0];
	struct rusage used;
	for (int i = 1; i < n; i++) {
		s.people += sums[i].people;
		s.ids += sums[i].ids;
		s.days += sums[i].days;
		s.first_days += sums[i].first_days;
		s.events += sums[i].events;
		s.types += sums[i].types;
		s.at_us += sums[i].at_us;
		s.sessions += sums[i].sessions;
		s.amount += sums[i].amount;
		s.dims += sums[i].dims;
		s.disorder = s.disorder || sums[i].disorder;
	}
	(void)getrusage(RUSAGE_SELF, &used);
	printf(
		"{\"people\": %lld, \"ids\": %llu, \"days\": %lld, \"first_days\": %lld, \"events\": %lld,"
		" \"types\": %llu, \"at\": %lld, \"sessions\": %llu, \"amount\": %lld, \"dims\": %llu,"
		" \"disorder\": %s, \"us\": %lld, \"kb\": %ld}\n",
		(long long)s.people, (unsigned long long)s.ids, (long long)s.days, (long long)s.first_days,
		(long long)s.events, (unsigned long long)s.types, (long long)s.at_us,
		(unsigned long long)s.sessions, (long long)s.amount, (unsigned long long)s.dims,
		s.disorder ? "true" : "false", (long long)us, used.ru_maxrss);
}

static enum err scan(struct scan *s, struct db **dbs, int workers_n, int64_t times,
                     struct errbuf *eb)
{
	enum err rc = ERR_OK;
	for (int64_t i = 0; rc == ERR_OK && i < times; i++) {
		struct sum sums[SCAN_WORKERS] = {0};
		int64_t begun_us = clock_mono_us();
		s->arg = sums;
		rc = scan_run(s, dbs, workers_n, &limits, eb);
		if (rc == ERR_OK)
			print(sums, workers_n, clock_mono_us() - begun_us);
	}
	return rc;
}

static enum err open_all(struct db **dbs, int n, struct errbuf *eb)
{
	const char *meanwhile = getenv("MEANWHILE");
	enum err rc = ERR_OK;
	for (int i = 0; rc == ERR_OK && i < n; i++) {
		dbs[i] = connect_one("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", eb);
		rc = eb->code;
		if (rc == ERR_OK && i)
			rc = scan_share(dbs[0], dbs[i], eb);
	}
	if (rc == ERR_OK && meanwhile)
		db_close(connect_one(meanwhile, eb));
	return eb->code;
}

int main(int argc, char **argv)
{
	struct db *dbs[SCAN_WORKERS] = {0};
	struct errbuf eb = {0};
	int64_t workers_n, from, to, times = 1, limit_ms = 0;
	if (argc < 5 || !num_parse_int(argv[1], 1, SCAN_WORKERS, &workers_n) ||
	    !num_parse_int(argv[2], INT32_MIN, INT32_MAX, &from) ||
	    !num_parse_int(argv[3], INT32_MIN, INT32_MAX, &to) ||
	    (argc > 5 && !num_parse_int(argv[5], 1, 1000, &times)) ||
	    (argc > 6 && !num_parse_int(argv[6], 1, 100000, &limit_ms)))
		return 2;
	struct scan s = {.from_day = (int32_t)from, .to_day = (int32_t)to, .person = add};
	read_wanted(&s, argv[4]);
	statement_load_all();
	enum err rc = open_all(dbs, (int)workers_n, &eb);
	limits.deadline_ms = limit_ms ? clock_mono_ms() + limit_ms : 0;
	if (rc == ERR_OK)
		rc = scan(&s, dbs, (int)workers_n, times, &eb);
	for (int i = 0; i < workers_n; i++)
		db_close(dbs[i]);
	if (rc != ERR_OK)
		printf("{\"error\": \"%s\", \"text\": \"%s\"}\n", err_name(rc), eb.text);
	return rc != ERR_OK;
}
