/*
 * An eventfd and a timer in an epoll of their own, so that the owner's loop
 * watches one descriptor.
 */
#include "queued/store/store_wake.h"

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "queued/store/store_private.h"

void
store_wake_init(struct store *s)
{
	s->wake = (struct store_wake){
		.done_fd = -1, .timer_fd = -1, .poll_fd = -1,
	};
}

static enum err
watch(const struct store_wake *w, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(w->poll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? OK :
	    ERR_IO;
}

enum err
store_wake_open(struct store *s)
{
	struct store_wake *w = &s->wake;

	w->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w->timer_fd = timerfd_create(CLOCK_MONOTONIC,
	    TFD_CLOEXEC | TFD_NONBLOCK);
	w->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->done_fd < 0 || w->timer_fd < 0 || w->poll_fd < 0)
		return ERR_IO;
	return watch(w, w->done_fd) == OK && watch(w, w->timer_fd) == OK ?
	    OK : ERR_IO;
}

static void
close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

void
store_wake_close(struct store *s)
{
	close_fd(s->wake.poll_fd);
	close_fd(s->wake.timer_fd);
	close_fd(s->wake.done_fd);
}

int
store_fd(const struct store *s)
{
	return s->wake.poll_fd;
}

/* One shot; armed again at a flush while something is still to be done, so an
 * idle store never wakes anybody. */
void
store_set_timer(struct store *s)
{
	const struct itimerspec tick = {
		.it_value = { .tv_nsec = STORE_TICK_MS * 1000000 } };

	if (s->wake.is_timer_set)
		return;
	s->wake.is_timer_set =
	    timerfd_settime(s->wake.timer_fd, 0, &tick, NULL) == 0;
}

void
store_wake_due(struct store *s)
{
	const uint64_t one = 1;

	if (s->ops.on_due == NULL) {
		(void)!write(s->wake.done_fd, &one, sizeof(one));
		return;
	}
	s->wake.is_due = true;
	s->ops.on_due(s->ctx);
}

/* In a turn that was due without them the descriptors are left alone: if one
 * is readable, that makes a turn of its own. */
void
store_wake_take(struct store *s)
{
	uint64_t count;

	if (s->wake.is_due) {
		s->wake.is_due = false;
		return;
	}
	(void)!read(s->wake.done_fd, &count, sizeof(count));
	if (read(s->wake.timer_fd, &count, sizeof(count)) > 0) {
		s->wake.is_timer_set = false;
		/* a disk that was full may have room by now */
		s->spares.failure = OK;
	}
}
