/* fcgi_socket.c: making, publishing and taking over the listening socket. */
#include "web/fcgi_socket.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"

enum { BACKLOG = 1024, FIRST_FD = 3 /* of those that systemd hands over */ };

static enum err check_path(struct fcgi_socket *s, const char *path, struct errbuf *eb)
{
	struct stat st;
	int n = snprintf(s->temp_path, sizeof s->temp_path, "%s.%ld", path, (long)getpid());
	if (*path == '\0' || n < 0 || (size_t)n >= sizeof s->temp_path)
		return err_set(eb, ERR_CONFIG, "the socket path '%s' is empty, or with .PID over %zu bytes",
		               path, sizeof s->temp_path - 1);
	(void)snprintf(s->path, sizeof s->path, "%s", path);
	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return err_set(eb, ERR_CONFIG, "'%s' exists and is not a socket", path);
	return ERR_OK;
}

static enum err listen_at_temp_path(struct fcgi_socket *s, struct errbuf *eb)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct stat st;
	memcpy(sa.sun_path, s->temp_path, sizeof sa.sun_path);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return err_set(eb, ERR_IO, "cannot make a socket: %m");
	(void)unlink(s->temp_path); /* of a process that had our number and died */
	mode_t old = umask(0117);
	int rc = bind(s->fd, (struct sockaddr *)&sa, sizeof sa);
	(void)umask(old);
	if (rc < 0 || listen(s->fd, BACKLOG) < 0 || lstat(s->temp_path, &st) < 0)
		return err_set(eb, ERR_IO, "cannot listen at %s: %m", s->temp_path);
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return ERR_OK;
}

/* ---- systemd ------------------------------------------------------------ */

/* How many descriptors are meant for this very process; the protocol of sd_listen_fds(3). */
static int64_t handed_over(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	int64_t whose, n;
	if (!pid || !fds || !num_parse_int(pid, 1, INT64_MAX, &whose) || whose != getpid() ||
	    !num_parse_int(fds, 0, 1 << 16, &n))
		return 0;
	return n;
}

static bool listens_at_unix(int fd, struct fcgi_socket *s)
{
	struct sockaddr_un sa = {.sun_family = AF_UNSPEC};
	socklen_t sa_n = sizeof sa, listening_n = sizeof(int);
	int listening = 0;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &listening_n) < 0 || !listening ||
	    getsockname(fd, (struct sockaddr *)&sa, &sa_n) < 0 || sa.sun_family != AF_UNIX)
		return false;
	(void)snprintf(s->path, sizeof s->path, "%.*s", (int)sizeof sa.sun_path, sa.sun_path);
	return true;
}

static enum err inherit(struct fcgi_socket *s, int64_t n, struct errbuf *eb)
{
	if (n > 1)
		return err_set(eb, ERR_CONFIG, "LISTEN_FDS=%lld: one socket is expected", (long long)n);
	if (!listens_at_unix(FIRST_FD, s) || fcntl(FIRST_FD, F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC) < 0)
		return err_set(eb, ERR_CONFIG, "descriptor %d (LISTEN_FDS) is no listening unix socket",
		               FIRST_FD);
	s->fd = FIRST_FD;
	s->inherited = s->published = true;
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	return ERR_OK;
}

/* ---- for fcgi.c --------------------------------------------------------- */

enum err fcgi_socket_open(struct fcgi_socket *s, const char *path, struct errbuf *eb)
{
	int64_t n = handed_over();
	if (n > 0)
		return inherit(s, n, eb);
	enum err rc = check_path(s, path, eb);
	return rc == ERR_OK ? listen_at_temp_path(s, eb) : rc;
}

enum err fcgi_socket_publish(struct fcgi_socket *s, struct errbuf *eb)
{
	if (s->published)
		return ERR_OK;
	if (rename(s->temp_path, s->path) < 0)
		return err_set(eb, ERR_IO, "cannot move %s to %s: %m", s->temp_path, s->path);
	s->published = true;
	return ERR_OK;
}

/* Our listening descriptor keeps the inode, so its number cannot have been reused. */
void fcgi_socket_unlink(const struct fcgi_socket *s)
{
	struct stat st;
	const char *path = s->published ? s->path : s->temp_path;
	if (s->ino && lstat(path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
		(void)unlink(path);
}
