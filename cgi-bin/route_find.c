/* route_find.c: from a method and a path to a row of the route table. */
#include <string.h>

#include "cgi-bin/routes.h"

/* Both walk one segment at a time; {name} takes one that is not empty. */
static bool path_fits(const char *pattern, const char *path)
{
	while (*pattern && *path) {
		if (*pattern == '{') {
			size_t n = strcspn(path, "/");
			if (n == 0)
				return false;
			path += n;
			pattern += strcspn(pattern, "}") + 1;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return *pattern == '\0' && *path == '\0';
}

/* A path that is somebody's own is nobody's {name}. */
static bool is_own_path(const char *path)
{
	for (int i = 0; route_get(i); i++)
		if (strcmp(route_get(i)->path, path) == 0)
			return true;
	return false;
}

enum { OF_GET = 1, OF_POST = 2, OF_PUT = 4, OF_DELETE = 8 };

static unsigned method_bit(const char *method)
{
	return strcmp(method, "GET") == 0    ? OF_GET
	       : strcmp(method, "POST") == 0 ? OF_POST
	       : strcmp(method, "PUT") == 0  ? OF_PUT
	                                     : OF_DELETE;
}

/* NULL of none. */
static const char *methods_text(unsigned bits)
{
	static const char *const texts[] = {NULL,
	                                    "GET, HEAD",
	                                    "POST",
	                                    "GET, HEAD, POST",
	                                    "PUT",
	                                    "GET, HEAD, PUT",
	                                    "POST, PUT",
	                                    "GET, HEAD, POST, PUT",
	                                    "DELETE",
	                                    "GET, HEAD, DELETE",
	                                    "POST, DELETE",
	                                    "GET, HEAD, POST, DELETE",
	                                    "PUT, DELETE",
	                                    "GET, HEAD, PUT, DELETE",
	                                    "POST, PUT, DELETE",
	                                    "GET, HEAD, POST, PUT, DELETE"};
	return texts[bits];
}

const struct route *route_find(const char *method, const char *path, const char **allowed)
{
	const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
	bool own = is_own_path(path);
	unsigned bits = 0;
	*allowed = NULL;
	for (int i = 0; route_get(i); i++) {
		const struct route *route = route_get(i);
		if (own ? strcmp(route->path, path) != 0 : !path_fits(route->path, path))
			continue;
		if (strcmp(route->method, wanted) == 0)
			return route;
		bits |= method_bit(route->method);
	}
	*allowed = methods_text(bits);
	return NULL;
}

const char *route_path_value(const struct route *route, const char *path, const char *name,
                             int *len)
{
	for (const char *p = route->path; *p && *path;) {
		if (*p != '{') {
			p++;
			path++;
			continue;
		}
		size_t n = strcspn(path, "/"), name_n = strcspn(p + 1, "}");
		*len = (int)n;
		if (strlen(name) == name_n && strncmp(p + 1, name, name_n) == 0)
			return path;
		p += name_n + 2;
		path += n;
	}
	return NULL;
}
