/*
 * Lines on their way out.
 *
 * They wait in one buffer, LOG_BUFFER_BYTES, and leave once a turn.  A write
 * never blocks, for the mail path would wait with it: what finds no room is
 * dropped, counted and, as soon as something can be written again, told.
 */
#include "common/log/log_impl.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Several processes write to the same pipe or socket.  Whole lines of at most
 * this many bytes are taken at once or not at all, so that no line is torn by
 * another's; a file opened for appending keeps writes of any length together.
 */
#define CHUNK_BYTES	PIPE_BUF

_Static_assert(LOG_LINE_MAX <= CHUNK_BYTES, "a line would be torn");

/* What it is decides how to write to it without blocking. */
void
log_set_fd(struct log *l, int fd)
{
	struct stat st;

	l->fd = fd;
	l->target = LOG_TO_OTHER;
	if (fstat(fd, &st) != 0)
		return;
	if (S_ISREG(st.st_mode))
		l->target = LOG_TO_FILE;
	else if (S_ISSOCK(st.st_mode))
		l->target = LOG_TO_SOCKET;
}

/* The newest line is dropped, not the oldest: what came first tells the cause.
 * Only the first line that waits asks for a flush. */
void
log_out_add(struct log *l, const char *line, size_t n)
{
	const bool was_empty = l->waiting_n == 0;

	if (n > LOG_BUFFER_BYTES - l->waiting_n) {
		l->dropped++;
		return;
	}
	memcpy(l->waiting + l->waiting_n, line, n);
	l->waiting_n += n;
	if (was_empty && l->notify != NULL)
		l->notify(l->notify_ctx);
}

/* Bytes of whole lines that may be written at once. */
static size_t
chunk(const struct log *l, const char *p, size_t n)
{
	const char *end;

	if (l->target == LOG_TO_FILE || n <= CHUNK_BYTES)
		return n;
	end = memrchr(p, '\n', CHUNK_BYTES);
	return end != NULL ? (size_t)(end + 1 - p) : CHUNK_BYTES;
}

/* A regular file may make us wait for the disk; there is no way around
 * that. */
static ssize_t
write_some(const struct log *l, const char *p, size_t n)
{
	struct pollfd ready = { .fd = l->fd, .events = POLLOUT };

	switch (l->target) {
	case LOG_TO_SOCKET:
		return send(l->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	case LOG_TO_OTHER:
		/* the descriptor is shared with others: it is not ours to
		 * make it non-blocking */
		if (poll(&ready, 1, 0) == 0) {
			errno = EAGAIN;
			return -1;
		}
		return write(l->fd, p, n);
	case LOG_TO_FILE:
		break;
	}
	return write(l->fd, p, n);
}

/* For the count of what was lost; a torn line counts when its end is lost. */
static uint64_t
count_lines(const char *p, size_t n)
{
	uint64_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += p[i] == '\n';
	return count;
}

/* Called when nothing waits, so that there is room for the line. */
static void
tell_dropped(struct log *l)
{
	const uint64_t lost = l->dropped - l->dropped_told;

	if (lost == 0)
		return;
	l->dropped_told = l->dropped;
	if (log_begin(l, LOG_LOG_DROPPED, NULL)) {
		log_u64(l, "lines", lost);
		log_end(l);
	}
}

bool
log_flush(struct log *l)
{
	size_t done = 0;
	ssize_t n;

	while (done < l->waiting_n) {
		const char *p = l->waiting + done;

		n = write_some(l, p, chunk(l, p, l->waiting_n - done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			/* nobody will ever read these */
			l->dropped += count_lines(p, l->waiting_n - done);
			done = l->waiting_n;
		}
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	/* mostly nothing is left to move */
	memmove(l->waiting, l->waiting + done, l->waiting_n - done);
	l->waiting_n -= done;
	if (l->waiting_n == 0)
		tell_dropped(l);
	return l->waiting_n == 0;
}
