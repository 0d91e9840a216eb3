/* fcgi_socket.h: the listening socket of fcgi.c: made here, or handed over by systemd. */
#ifndef TAKINGS_WEB_FCGI_SOCKET_H
#define TAKINGS_WEB_FCGI_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

#include "base/err.h"

struct fcgi_socket {
	int fd; /* listening, not blocking; the caller closes it */
	char path[sizeof((struct sockaddr_un *)0)->sun_path];
	char temp_path[sizeof((struct sockaddr_un *)0)->sun_path];
	dev_t dev; /* identity of the socket made here */
	ino_t ino;
	bool published; /* temp_path has been moved to path */
	bool inherited; /* systemd's: it stays when we go */
};

/* As described at fcgi_open; `s->fd` is -1 before. What is open after an error is the
 * caller's to close. */
MUST_CHECK enum err fcgi_socket_open(struct fcgi_socket *s, const char *path, struct errbuf *eb);

/* Moves it to its place. */
MUST_CHECK enum err fcgi_socket_publish(struct fcgi_socket *s, struct errbuf *eb);

/* Removes it if it is still the one made here. At any time, more than once. */
void fcgi_socket_unlink(const struct fcgi_socket *s);

#endif
