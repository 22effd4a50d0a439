/*
 * Errors of accept() and connect() are sorted by what the caller can do about
 * them: wait for readiness, make room, or give the socket up.
 */
#include "common/os/sock.h"

#include "common/os/fd.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

/* A zeroed copy first: padding and scope must not carry what was on the
 * stack. */
enum err
sock_address(const struct endpoint *e, struct sockaddr_storage *out,
    socklen_t *size)
{
	struct sockaddr_storage s;

	memset(&s, 0, sizeof(s));
	if (e->addr.family == IPADDR_4) {
		struct sockaddr_in *in = (struct sockaddr_in *)&s;

		in->sin_family = AF_INET;
		in->sin_port = htons(e->port);
		memcpy(&in->sin_addr, e->addr.bytes, 4);
		*size = sizeof(*in);
	} else if (e->addr.family == IPADDR_6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&s;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(e->port);
		memcpy(&in6->sin6_addr, e->addr.bytes, 16);
		*size = sizeof(*in6);
	} else {
		return ERR_SYNTAX;
	}
	*out = s;
	return OK;
}

/* By copies, since a struct sockaddr need not be aligned for its family. */
enum err
sock_endpoint(const struct sockaddr *sa, socklen_t size, struct endpoint *out)
{
	if (sa->sa_family == AF_INET && size >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in in;

		memcpy(&in, sa, sizeof(in));
		out->addr = ipaddr_v4((const uint8_t *)&in.sin_addr);
		out->port = ntohs(in.sin_port);
		return OK;
	}
	if (sa->sa_family == AF_INET6 && size >= sizeof(struct sockaddr_in6)) {
		struct sockaddr_in6 in6;

		memcpy(&in6, sa, sizeof(in6));
		out->addr = ipaddr_v6((const uint8_t *)&in6.sin6_addr);
		out->port = ntohs(in6.sin6_port);
		return OK;
	}
	return ERR_SYNTAX;
}

static enum err
set_option(int sock, int level, int option, int value)
{
	return setsockopt(sock, level, option, &value, sizeof(value)) < 0 ?
	    ERR_IO : OK;
}

/* Of the address's family, with the flags that every socket of ours has. */
static enum err
open_tcp(const struct sockaddr_storage *s, int *sock)
{
	int fd = socket(s->ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

	if (fd < 0)
		return ERR_IO;
	*sock = fd;
	return OK;
}

/*
 * SO_REUSEADDR lets a restart bind while old connections are in TIME_WAIT; on
 * Linux it does not let two listeners share an address.  An IPv6 socket takes
 * IPv6 only: IPv4 clients come by a socket and under addresses of their own.
 */
static enum err
bind_tcp(int sock, const struct sockaddr_storage *s, socklen_t size)
{
	if (set_option(sock, SOL_SOCKET, SO_REUSEADDR, 1) != OK)
		return ERR_IO;
	if (s->ss_family == AF_INET6 &&
	    set_option(sock, IPPROTO_IPV6, IPV6_V6ONLY, 1) != OK)
		return ERR_IO;
	return bind(sock, (const struct sockaddr *)s, size) < 0 ? ERR_IO : OK;
}

enum err
sock_listen(const struct endpoint *e, int backlog, int *sock)
{
	struct sockaddr_storage s;
	socklen_t size;
	enum err err = sock_address(e, &s, &size);
	int fd;

	if (err != OK)
		return err;
	if (open_tcp(&s, &fd) != OK)
		return ERR_IO;
	if (bind_tcp(fd, &s, size) != OK || listen(fd, backlog) < 0) {
		fd_close(&fd);
		return ERR_IO;
	}
	*sock = fd;
	return OK;
}

/* Sorted by what a loop has to do.  An error of one connection is ERR_AGAIN:
 * the next one may be good. */
enum err
sock_accept(int listener, struct endpoint *peer, int *sock)
{
	struct sockaddr_storage s = { 0 };
	socklen_t size = sizeof(s);
	int fd = accept4(listener, (struct sockaddr *)&s, &size,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		*peer = (struct endpoint){ 0 };
		(void)sock_endpoint((struct sockaddr *)&s, size, peer);
		*sock = fd;
		return OK;
	}
	switch (errno) {
	/* out of something that others may free: wait, then accept again */
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		return ERR_FULL;
	/* the listener itself is wrong: trying again would not end */
	case EBADF:
	case EFAULT:
	case EINVAL:
	case ENOTSOCK:
	case EOPNOTSUPP:
		return ERR_IO;
	default:
		/* none there, or an error of the connection (accept(2)) */
		return ERR_AGAIN;
	}
}

/* ERR_AGAIN: on its way, readiness to write will tell. */
static enum err
begin_connect(int sock, const struct sockaddr_storage *s, socklen_t size,
    const struct ipaddr *source)
{
	if (source != NULL) {
		struct endpoint from = { *source, 0 };
		struct sockaddr_storage local;
		socklen_t local_size;

		/* the port is chosen when the other end is known */
		(void)set_option(sock, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
		if (sock_address(&from, &local, &local_size) != OK ||
		    bind_tcp(sock, &local, local_size) != OK)
			return ERR_IO;
	}
	if (connect(sock, (const struct sockaddr *)s, size) == 0)
		return OK;
	return errno == EINPROGRESS || errno == EINTR ? ERR_AGAIN : ERR_IO;
}

/* OK is possible at once, to a host of our own. */
enum err
sock_connect(const struct endpoint *e, const struct ipaddr *source, int *sock)
{
	struct sockaddr_storage s;
	socklen_t size;
	enum err err = sock_address(e, &s, &size);
	int fd;

	if (err != OK)
		return err;
	if (open_tcp(&s, &fd) != OK)
		return ERR_IO;
	err = begin_connect(fd, &s, size, source);
	if (err != OK && err != ERR_AGAIN) {
		fd_close(&fd);
		return err;
	}
	*sock = fd;
	return err;
}

/* Asking clears the error: it is told once. */
enum err
sock_result(int sock)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(sock, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return ERR_IO;
	if (error == 0)
		return OK;
	errno = error;
	return ERR_IO;
}

typedef int name_of_end(int, struct sockaddr *, socklen_t *);

/* getpeername() or getsockname(), which have the same form. */
static enum err
ask_end(name_of_end *ask, int sock, struct endpoint *out)
{
	struct sockaddr_storage s = { 0 };
	socklen_t size = sizeof(s);

	if (ask(sock, (struct sockaddr *)&s, &size) < 0)
		return ERR_IO;
	return sock_endpoint((struct sockaddr *)&s, size, out);
}

enum err
sock_peer(int sock, struct endpoint *out)
{
	return ask_end(getpeername, sock, out);
}

/* The address that a client came to, which a listener on `*` doesn't know. */
enum err
sock_local(int sock, struct endpoint *out)
{
	return ask_end(getsockname, sock, out);
}

/* A reply is one write and must not wait for the last one's
 * acknowledgement. */
enum err
sock_set_nodelay(int sock)
{
	return set_option(sock, IPPROTO_TCP, TCP_NODELAY, 1);
}

/* The reset leaves no state of the connection behind, not even TIME_WAIT. */
enum err
sock_set_abort(int sock)
{
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	return setsockopt(sock, SOL_SOCKET, SO_LINGER, &at_once,
	    sizeof(at_once)) < 0 ? ERR_IO : OK;
}
