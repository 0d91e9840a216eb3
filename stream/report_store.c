/* report_store.c: S3 or files. */
#include "stream/report_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"

struct report_store {
	struct s3 *s3;   /* NULL: files */
	const char *dir; /* borrowed from the settings */
};

enum err report_store_open(struct report_store **out, const struct conf *conf,
                           http_give_up_fn give_up, void *arg, struct errbuf *eb)
{
	struct report_store *s = mem_alloc(sizeof *s);
	*s = (struct report_store){.dir = conf_str(conf, CONF_REPORT_DIR)};
	if (*conf_str(conf, CONF_S3_BUCKET) && s3_open(&s->s3, conf, give_up, arg, eb) != ERR_OK) {
		free(s);
		return eb->code;
	}
	*out = s;
	return ERR_OK;
}

void report_store_close(struct report_store *s)
{
	if (!s)
		return;
	s3_close(s->s3);
	free(s);
}

enum err report_store_check(struct report_store *s, struct errbuf *eb)
{
	struct s3_outcome what;
	struct stat st;
	if (s->s3)
		return s3_list(s->s3, "analytics/", &what, eb);
	if (stat(s->dir, &st) != 0)
		return errno == ENOENT ? ERR_OK /* it is made when the first report is */
		                       : err_set(eb, ERR_IO, "%s: %s", s->dir, strerrordesc_np(errno));
	if (!S_ISDIR(st.st_mode))
		return err_set(eb, ERR_IO, "%s: it is no directory", s->dir);
	if (access(s->dir, W_OK | X_OK) != 0)
		return err_set(eb, ERR_IO, "%s: %s", s->dir, strerrordesc_np(errno));
	return ERR_OK;
}

enum err report_store_put(struct report_store *s, const char *key, const char *body, size_t n,
                          struct s3_outcome *what, struct errbuf *eb)
{
	struct buf path;
	*what = (struct s3_outcome){0};
	if (s->s3)
		return s3_put(s->s3, key, body, n, what, eb);
	buf_init(&path);
	buf_printf(&path, "%s/%s", s->dir, key);
	enum err rc = file_write(buf_str(&path), body, n, eb);
	buf_fini(&path);
	return rc;
}
