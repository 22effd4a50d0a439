/*
 * The control buffer is just large enough for what the caller wants, so that
 * the kernel itself drops nearly all of a surplus before it gets a number here.
 */
#include "common/os/fdpass.h"

#include "common/base/check.h"
#include "common/os/fd.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Aligned as struct cmsghdr needs it. */
union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(FDPASS_MAX * sizeof(int))];
};

/* An interrupted call, or one that found no memory, had no effect: the caller
 * comes again as for EAGAIN. */
static enum err
error_of(int error)
{
	switch (error) {
	case EAGAIN:
	case EINTR:
	case ENOBUFS:
	case ENOMEM:
		return ERR_AGAIN;
	case EPIPE:
	case ECONNRESET:
		return ERR_PEER;
	default:
		return ERR_IO;
	}
}

/* Never waits.  What is not sent of P is the caller's to send later. */
enum err
fdpass_send(int sock, const void *p, size_t n, const int *fds,
    size_t fd_count, size_t *sent)
{
	union control control = { 0 };
	struct iovec part = { (void *)(uintptr_t)p, n };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t done;

	MUST(n > 0 && fd_count <= FDPASS_MAX);
	/* they travel with the first byte: whoever sends on sends none
	 * again */
	if (fd_count > 0) {
		struct cmsghdr *c = &control.header;

		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
	}
	done = sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (done < 0)
		return error_of(errno);
	*sent = (size_t)done;
	return OK;
}

/* Puts the descriptors of M into FDS, as many as fit; closes the others.
 * Returns how many there were. */
static size_t
take_fds(struct msghdr *m, int *fds, size_t max)
{
	size_t count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL;
	    c = CMSG_NXTHDR(m, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		/* the kernel pads: the room of one may bring two (cmsg(3)) */
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++, count++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int),
			    sizeof(fd));
			if (count < max)
				fds[count] = fd;
			else
				fd_close(&fd);
		}
	}
	return count;
}

/* Whether all that was sent arrived, and no more than was asked for. */
static enum err
check_fds(const struct msghdr *m, size_t count, size_t max)
{
	if (count > max)
		return ERR_PEER;
	if ((m->msg_flags & MSG_CTRUNC) == 0)
		return OK;
	/* the kernel kept some back: no room here, or none in the process */
	return count < max ? ERR_FULL : ERR_PEER;
}

/* Descriptors that come with a failure are closed, whoever sent them. */
enum err
fdpass_recv(int sock, void *p, size_t size, int *fds, size_t fd_max,
    size_t *got, size_t *fd_count)
{
	union control control;
	struct iovec part = { p, size };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	int taken[FDPASS_MAX];
	size_t count;
	ssize_t done;
	enum err e;

	MUST(size > 0 && fd_max <= FDPASS_MAX);
	/* without any room the kernel would drop descriptors untold */
	m.msg_control = &control;
	m.msg_controllen = CMSG_SPACE((fd_max > 0 ? fd_max : 1) * sizeof(int));
	done = recvmsg(sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (done < 0)
		return error_of(errno);
	count = take_fds(&m, taken, fd_max);
	e = check_fds(&m, count, fd_max);
	if (e == OK && done == 0)
		e = ERR_PEER;
	if (e != OK) {
		for (size_t i = 0; i < count && i < fd_max; i++)
			fd_close(&taken[i]);
		return e;
	}
	memcpy(fds, taken, count * sizeof(int));
	*got = (size_t)done;
	*fd_count = count;
	return OK;
}
