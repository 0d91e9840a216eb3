/* test_url.c: URLs of both kinds of server, above all what is refused and how. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "db/db.h"
#include "db/source_mysql_url.h"

static struct errbuf eb;

/* ---- PostgreSQL ---------------------------------------------------------- */

static const char *const good[] = {
	"",
	"postgresql://",
	"postgresql://host",
	"postgresql://user@host",
	"postgres://user:secret@host:5432/db",
	"postgresql://user:s%40e%2Fc%25@host/db",
	"postgresql://user:se:cr?et@host/db",
	"postgresql://user@/db?host=/run/postgresql&port=5433",
	"postgresql://user@[::1]:5432/db",
	"postgresql://a,b:5433,c/db?target_session_attrs=any",
	"postgresql://host:1,host:2/db",
	"postgresql://host/a%40b",
	"postgresql:///db?user=me@corp&password=se@cr",
	"postgresql://user@host/db?options=-csearch_path%3Dshop",
	"host=/run/postgresql dbname=x password='it\\'s @ / % :'",
	"host='h' port='5432' dbname='db' ",
};

static const char *const bad[] = {
	"postgresql://user:sec@ret@host/db",
	"postgresql://user:sec/ret@host/db",
	"postgresql://user:sec@ret/more@host/db",
	"postgresql://user:secr%et@host/db",
	"postgresql://user:secret%zz@host/db",
	"postgresql://user:secret%@host/db",
	"postgresql://user:secret/db",
	"postgresql://user:123secret@host:secret/db",
	"postgresql://user:x@host/db?secret",
	"postgresql://user:x@host/db?secret=1",
	"postgresql://user:x@host/db?password=secret%zz",
	"postgresql://[secret/db",
	"host=h secret",
	"host='secret",
	"secret=1",
	"host=h port=secret",
};

static void test_pg(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		err_clear(&eb);
		if (db_url_check("NAME", good[i], &eb) != ERR_OK)
			fail_msg("refused: %s", good[i]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		err_clear(&eb);
		if (db_url_check("NAME", bad[i], &eb) != ERR_CONFIG)
			fail_msg("accepted: %s", bad[i]);
		assert_string_equal(eb.field, "NAME");
		assert_int_equal(strncmp(eb.text, "NAME: the URL is malformed; ", 28), 0);
		assert_null(strstr(eb.text, "secret"));
		assert_null(strstr(eb.text, "more"));
	}
}

static void test_local(void **state)
{
	(void)state;
	static const char *const local[] = {"",          "/run/postgresql", "@abstract", "localhost",
	                                    "127.0.0.1", "127.1.2.3",       "::1"};
	static const char *const distant[] = {"db",  "10.0.0.1",    "12.7.0.0", "localhost.example",
	                                      "::2", "example.org", "128.0.0.1"};
	for (size_t i = 0; i < 7; i++) {
		assert_true(db_host_is_local(local[i]));
		assert_false(db_host_is_local(distant[i]));
	}
}

/* ---- MySQL --------------------------------------------------------------- */

struct mysql_row {
	const char *url, *user, *password, *host, *database, *socket;
	unsigned port;
	enum tls tls;
};

static const struct mysql_row targets[] = {
	{"mysql://u:p@h/d", "u", "p", "h", "d", "", 3306, TLS_PREFER},
	{"mariadb://u@h:1/d", "u", NULL, "h", "d", "", 1, TLS_PREFER},
	{"mysql://u:@h:65535/d", "u", "", "h", "d", "", 65535, TLS_PREFER},
	{"mysql://u:p@h:/d", "u", "p", "h", "d", "", 3306, TLS_PREFER},
	{"mysql://u:p@/d", "u", "p", "", "d", "", 3306, TLS_PREFER},
	{"mysql://u:p@[::1]:3307/d", "u", "p", "::1", "d", "", 3307, TLS_PREFER},
	{"mysql://u:p@[fe80::1]/d", "u", "p", "fe80::1", "d", "", 3306, TLS_PREFER},
	{"mysql://a%40b:%25%2f%3A@h/d%20e", "a@b", "%/:", "h", "d e", "", 3306, TLS_PREFER},
	{"mysql://u:a@b:c@h/d", "u", "a@b:c", "h", "d", "", 3306, TLS_PREFER},
	{"mysql://u:p@h/d?", "u", "p", "h", "d", "", 3306, TLS_PREFER},
	{"mysql://u:p@h/d?ssl-mode=require", "u", "p", "h", "d", "", 3306, TLS_REQUIRE},
	{"mysql://u:p@h/d?sslmode=VERIFY_IDENTITY", "u", "p", "h", "d", "", 3306, TLS_VERIFY},
	{"mysql://u:p@h/d?ssl-mode=verify-ca&ssl-ca=%2fca.pem", "u", "p", "h", "d", "", 3306,
     TLS_VERIFY},
	{"mysql://u:p@h/d?ssl-mode=disable", "u", "p", "h", "d", "", 3306, TLS_DISABLE},
	{"mysql://u@localhost/d?socket=/no/such.sock", "u", NULL, "localhost", "d", "/no/such.sock",
     3306, TLS_DISABLE},
	{"mysql://u@%2Fno%2Fsuch.sock/d?ssl-mode=require", "u", NULL, "/no/such.sock", "d",
     "/no/such.sock", 3306, TLS_DISABLE},
	{"mysql://u@h/d?socket=/tmp", "u", NULL, "h", "d", "/tmp/mysqld.sock", 3306, TLS_DISABLE},
};

static void assert_text(const char *got, const char *want)
{
	if (want)
		assert_string_equal(got, want);
	else
		assert_null(got);
}

static void test_mysql(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
		const struct mysql_row *r = &targets[i];
		struct mysql_target t = {0};
		err_clear(&eb);
		if (mysql_target_parse(&t, "NAME", r->url, &eb) != ERR_OK)
			fail_msg("%s: %s", r->url, eb.text);
		assert_text(t.user, r->user);
		assert_text(t.password, r->password);
		assert_text(t.host, r->host);
		assert_text(t.database, r->database);
		assert_string_equal(buf_str(&t.socket), r->socket);
		assert_int_equal(t.port, r->port);
		assert_int_equal(t.tls, r->tls);
		mysql_target_fini(&t);
	}
}

static void test_mysql_refused(void **state)
{
	(void)state;
	static const char *const urls[] = {
		"",
		"mysql:",
		"mysql://",
		"postgresql://u:secret@h/d",
		"MYSQL://u:secret@h/d",
		"mysql://u:secret@h",
		"mysql://u:secret@h/",
		"mysql://h/secret",
		"mysql://@h/secret",
		"mysql://:secret@h/d",
		"mysql://u:secret%@h/d",
		"mysql://u:secret%4@h/d",
		"mysql://u:secret%zz@h/d",
		"mysql://u:secret%00@h/d",
		"mysql://u:sec/secret@h/d",
		"mysql://u:s@e/secret@h/d",
		"mysql://u:s?secret@h/d",
		"mysql://u:secret@h:0/d",
		"mysql://u:secret@h:65536/d",
		"mysql://u:secret@h:33o6/d",
		"mysql://u:secret@h:-1/d",
		"mysql://u:secret@[::1/d",
		"mysql://u:secret@[::1]3306/d",
		"mysql://u:secret@h/d%2",
		"mysql://u:secret@h/d?secret",
		"mysql://u:secret@h/d?secret=1",
		"mysql://u:secret@h/d?ssl-mode=secret",
		"mysql://u:secret@h/d?socket=%zz",
		"mysql://u:secret@h/d?ssl-mode=require&secret=1",
	};
	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		struct mysql_target t = {0};
		err_clear(&eb);
		if (mysql_target_parse(&t, "NAME", urls[i], &eb) != ERR_CONFIG)
			fail_msg("accepted: %s", urls[i]);
		assert_string_equal(eb.field, "NAME");
		assert_int_equal(strncmp(eb.text, "NAME: the URL ", 14), 0);
		assert_null(strstr(eb.text, "secret"));
		mysql_target_fini(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pg),
		cmocka_unit_test(test_local),
		cmocka_unit_test(test_mysql),
		cmocka_unit_test(test_mysql_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
