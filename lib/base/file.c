/* file.c: reading and replacing files. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What strerror() says, without the buffer all threads share. */
static const char *errno_text(void)
{
	return strerrordesc_np(errno);
}

/* ---- reading --------------------------------------------------------------------- */

static const char *read_all(int fd, size_t limit, struct buf *out)
{
	char piece[8192];
	size_t all = 0;
	ssize_t n;
	struct stat st;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return "it is not a regular file";
	while ((n = read(fd, piece, sizeof piece)) > 0) {
		all += (size_t)n;
		if (all > limit)
			return "it is too long";
		buf_put(out, piece, (size_t)n);
	}
	return n < 0 ? errno_text() : NULL;
}

enum err file_read(const char *path, size_t limit, struct buf *out, struct errbuf *eb)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	const char *why = fd < 0 ? errno_text() : read_all(fd, limit, out);
	if (fd >= 0)
		(void)close(fd);
	return why ? err_set(eb, ERR_CONFIG, "cannot read %s: %s", path, why) : ERR_OK;
}

/* ---- writing --------------------------------------------------------------------- */

static bool make_directories(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		bool ok = mkdir(path, 0755) == 0 || errno == EEXIST;
		*slash = '/';
		if (!ok)
			return false;
	}
	return true;
}

static bool write_all(int fd, const char *bytes, size_t n)
{
	while (n) {
		ssize_t done = write(fd, bytes, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		bytes += done;
		n -= (size_t)done;
	}
	return fsync(fd) == 0;
}

static bool write_new(const char *path, const void *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return false;
	bool ok = write_all(fd, bytes, n);
	int why = errno;
	if (close(fd) != 0 && ok)
		return false;
	errno = why;
	return ok;
}

/* The new name is on the disk when the directory is. */
static bool sync_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool ok = fsync(fd) == 0;
	(void)close(fd);
	return ok;
}

enum err file_write(const char *path, const void *bytes, size_t n, struct errbuf *eb)
{
	struct buf dir, part;
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	buf_init(&dir), buf_init(&part);
	buf_put(&dir, path, (size_t)(name - path));
	if (!slash)
		buf_puts(&dir, "./");
	buf_printf(&part, "%s.%s.part", buf_str(&dir), name);
	bool ok = make_directories(dir.data) && write_new(buf_str(&part), bytes, n) &&
	          rename(buf_str(&part), path) == 0 && sync_directory(buf_str(&dir));
	enum err rc = ok ? ERR_OK : err_set(eb, ERR_IO, "cannot write %s: %s", path, errno_text());
	buf_fini(&part), buf_fini(&dir);
	return rc;
}
