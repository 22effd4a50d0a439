/*
 * Binding to a path that exists fails, even when its process is long gone: only
 * a connection that is refused proves that nobody serves it.
 */
#include "common/os/sock_unix.h"

#include "common/os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A path as a socket address; FOLDER stays open while it is in use. */
struct place {
	struct sockaddr_un address;
	int folder;			/* -1: not needed */
};

/* O_PATH: the folder need not be readable to be gone through. */
static enum err
open_folder(const char *path, size_t n, int *fd)
{
	char folder[PATH_MAX];
	int made;

	if (n >= sizeof(folder))
		return ERR_RANGE;
	memcpy(folder, path, n);
	folder[n] = '\0';
	made = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (made < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
	*fd = made;
	return OK;
}

/* A path that doesn't fit into sun_path (108 bytes) is reached by its folder's
 * descriptor under /proc. */
static enum err
place_open(const char *path, struct place *place)
{
	size_t size = sizeof(place->address.sun_path);
	const char *slash = strrchr(path, '/');
	int n;
	enum err e;

	*place = (struct place){ .address.sun_family = AF_UNIX, .folder = -1 };
	if (strlen(path) < size) {
		memcpy(place->address.sun_path, path, strlen(path) + 1);
		return OK;
	}
	if (slash == NULL)
		return ERR_RANGE;
	e = open_folder(path, (size_t)(slash - path), &place->folder);
	if (e != OK)
		return e;
	n = snprintf(place->address.sun_path, size, "/proc/self/fd/%d%s",
	    place->folder, slash);
	if (n < 0 || (size_t)n >= size) {
		fd_close(&place->folder);
		return ERR_RANGE;
	}
	return OK;
}

/* Closed at an exec, as every descriptor of ours. */
static enum err
open_unix(int flags, int *sock)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (fd < 0)
		return ERR_IO;
	*sock = fd;
	return OK;
}

/* A local connect() comes at once or fails: no waiting, but for a full
 * backlog. */
static enum err
connect_place(int sock, const struct place *place)
{
	int done;

	do {
		done = connect(sock, (const struct sockaddr *)&place->address,
		    sizeof(place->address));
	} while (done < 0 && errno == EINTR);
	if (done == 0)
		return OK;
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
		return ERR_NOT_FOUND;
	case EACCES:
	case EPERM:
		return ERR_DENIED;
	case ECONNREFUSED:
		return ERR_PEER;
	case EAGAIN:
		return ERR_AGAIN;
	default:
		return ERR_IO;
	}
}

/* Removes what an ended process has left, and nothing else. */
static enum err
clear_place(const struct place *place)
{
	const char *path = place->address.sun_path;
	struct stat st;
	enum err e;
	int probe;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? OK : ERR_IO;
	if (!S_ISSOCK(st.st_mode))
		return ERR_EXISTS;
	/* a full backlog must not hold us: it too says that somebody serves */
	if (open_unix(SOCK_NONBLOCK, &probe) != OK)
		return ERR_IO;
	e = connect_place(probe, place);
	fd_close(&probe);
	if (e == ERR_NOT_FOUND)
		return OK;
	if (e != ERR_PEER)
		return ERR_EXISTS;
	return unlink(path) < 0 && errno != ENOENT ? ERR_IO : OK;
}

/* Nobody can connect before listen(), so the mode is in time. */
static enum err
listen_place(const struct place *place, mode_t mode, int backlog, int *sock)
{
	const struct sockaddr *address =
	    (const struct sockaddr *)&place->address;
	int fd;

	if (open_unix(SOCK_NONBLOCK, &fd) != OK)
		return ERR_IO;
	if (bind(fd, address, sizeof(place->address)) < 0 ||
	    chmod(place->address.sun_path, mode) < 0 ||
	    listen(fd, backlog) < 0) {
		fd_close(&fd);
		return ERR_IO;
	}
	*sock = fd;
	return OK;
}

/* The folder is needed until bind() is done; the socket keeps no hold of
 * it. */
enum err
sock_unix_listen(const char *path, mode_t mode, int backlog, int *sock)
{
	struct place place;
	enum err e = place_open(path, &place);

	if (e != OK)
		return e;
	e = clear_place(&place);
	if (e == OK)
		e = listen_place(&place, mode, backlog, sock);
	fd_close(&place.folder);
	return e;
}

static enum err
connect_to(const char *path, int flags, int *sock)
{
	struct place place;
	enum err e = place_open(path, &place);
	int fd = -1;

	if (e != OK)
		return e;
	e = open_unix(flags, &fd);
	if (e == OK)
		e = connect_place(fd, &place);
	fd_close(&place.folder);
	if (e != OK) {
		fd_close(&fd);
		return e;
	}
	*sock = fd;
	return OK;
}

/* Blocking, for programs that do nothing else meanwhile. */
enum err
sock_unix_connect(const char *path, int *sock)
{
	return connect_to(path, 0, sock);
}

enum err
sock_unix_try(const char *path, int *sock)
{
	return connect_to(path, SOCK_NONBLOCK, sock);
}
