#include "keyd/doors.h"

#include "common/loop/watch.h"
#include "common/os/fd.h"
#include "keyd/sign.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

/* An asker waits for each answer; one that doesn't has at most a turn. */
#define BATCH_MAX	16

struct door {
	const struct pairs *pairs;	/* that are signed with here */
	struct list node;
	const void *owner;
	struct watch *watch;
	int fd;
};

static void
shut(struct door *door)
{
	list_remove(&door->node);
	watch_free(&door->watch);
	fd_close(&door->fd);
	free(door);
}

/* False: the door is of no more use. */
static bool
answer(struct door *door, struct span packet)
{
	struct buf out;
	bool is_sent;

	buf_init(&out, SIGN_ANSWER_MAX);
	is_sent = sign_answer(door->pairs, packet, &out) == OK &&
	    !buf_failed(&out) &&
	    send(door->fd, out.p, out.n, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	    (ssize_t)out.n;
	buf_clear(&out);
	return is_sent;
}

static void
on_ready(void *ctx, unsigned events)
{
	struct door *door = ctx;
	uint8_t packet[SIGN_QUESTION_MAX];

	(void)events;
	for (int i = 0; i < BATCH_MAX; i++) {
		ssize_t n = recv(door->fd, packet, sizeof(packet),
		    MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		/* the end; or a packet that was cut is no question either */
		if (n <= 0 || !answer(door, span_of(packet, (size_t)n))) {
			shut(door);
			return;
		}
	}
}

void
doors_init(struct doors *d, struct loop *loop)
{
	d->loop = loop;
	list_init(&d->list);
}

void
doors_remove(struct doors *d, const void *owner)
{
	struct list *node = list_first(&d->list);

	while (node != NULL) {
		struct door *door = CONTAINER_OF(node, struct door, node);

		node = list_next(&d->list, node);
		if (door->owner == owner || owner == NULL)
			shut(door);
	}
}

void
doors_clear(struct doors *d)
{
	doors_remove(d, NULL);
}

/* Of another kind it could block us or have no bounds. */
static bool
is_packet_socket(int fd)
{
	int type = 0, domain = 0;
	socklen_t size = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
	    type == SOCK_SEQPACKET && domain == AF_UNIX;
}

enum err
doors_add(struct doors *d, const void *owner, const struct pairs *pairs,
    int fd)
{
	struct door *door = NULL;
	enum err e = is_packet_socket(fd) ? OK : ERR_PEER;

	doors_remove(d, owner);
	if (e == OK && (door = calloc(1, sizeof(*door))) == NULL)
		e = ERR_NOMEM;
	if (e == OK)
		e = watch_new(d->loop, fd, on_ready, door, &door->watch);
	if (e != OK) {
		fd_close(&fd);
		free(door);
		return e;
	}
	door->pairs = pairs;
	door->owner = owner;
	door->fd = fd;
	list_add_last(&d->list, &door->node);
	watch_set(door->watch, WATCH_READ);
	return OK;
}
