/*
 * c-ares never blocks here: it tells by on_state() which sockets it wants
 * watched, and by ares_timeout() when it wants to be called at the latest.
 * Everything that it calls may come from inside a call to it.
 *
 * It is used for what is tedious and safe to leave to it: sockets, repeated
 * tries over several servers, the change to TCP.  Packets are parsed by
 * common/dns, and the ids are ours.
 */
#include "dnsd/transport.h"

#include <ares.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/list.h"
#include "common/loop/timer.h"
#include "common/loop/watch.h"
#include "common/os/random.h"

#define CLASS_IN	1
#define UDP_BYTES	1232	/* what passes unfragmented, as all agree */
#define TRIES		3
#define AD_BIT		0x20	/* in the fourth octet of a header */
#define IDS		256	/* drawn at a time */

struct socket {
	struct list node;
	struct transport *t;
	struct watch *watch;
	ares_socket_t fd;
};

struct transport {
	struct loop *loop;
	ares_channel channel;
	struct list sockets;
	struct timer timer;
	unsigned in_flight;
	uint8_t busy[65536 / 8];	/* ids in flight */
	uint16_t ids[IDS];
	unsigned n_ids;
};

struct question {
	struct transport *t;
	uint16_t id;
	transport_fn *fn;
	void *ctx;
};

/* ---- sockets and time ---- */

/* After each call to c-ares.  One millisecond more, so that rounding never
 * wakes us before the time. */
static void
set_timer(struct transport *t)
{
	struct timeval limit;
	const struct timeval *next = ares_timeout(t->channel, NULL, &limit);

	if (next == NULL)
		timer_stop(&t->timer);
	else
		timer_start(&t->timer,
		    next->tv_sec * 1000 + next->tv_usec / 1000 + 1);
}

/* No descriptor is ready: only what has run out of time is looked at. */
static void
on_timer(void *ctx)
{
	struct transport *t = ctx;

	ares_process_fd(t->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_timer(t);
}

/* The socket may be gone after ares_process_fd(). */
static void
on_socket(void *ctx, unsigned events)
{
	const struct socket *s = ctx;
	struct transport *t = s->t;
	ares_socket_t fd = s->fd;

	ares_process_fd(t->channel,
	    events & WATCH_READ ? fd : ARES_SOCKET_BAD,
	    events & WATCH_WRITE ? fd : ARES_SOCKET_BAD);
	set_timer(t);
}

/* A handful at a time: one for each server, and TCP. */
static struct socket *
find_socket(struct transport *t, ares_socket_t fd)
{
	for (struct list *n = list_first(&t->sockets); n != NULL;
	    n = list_next(&t->sockets, n)) {
		struct socket *s = CONTAINER_OF(n, struct socket, node);

		if (s->fd == fd)
			return s;
	}
	return NULL;
}

static void
free_socket(struct socket *s)
{
	list_remove(&s->node);
	watch_free(&s->watch);
	free(s);
}

/* Without memory for a watch the questions on this socket run into their
 * time limit. */
static struct socket *
make_socket(struct transport *t, ares_socket_t fd)
{
	struct socket *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->t = t;
	s->fd = fd;
	if (watch_new(t->loop, fd, on_socket, s, &s->watch) != OK) {
		free(s);
		return NULL;
	}
	list_add_last(&t->sockets, &s->node);
	return s;
}

/* Both 0 comes before the descriptor is closed. */
static void
on_state(void *ctx, ares_socket_t fd, int is_read, int is_write)
{
	struct transport *t = ctx;
	struct socket *s = find_socket(t, fd);

	if (!is_read && !is_write) {
		if (s != NULL)
			free_socket(s);
		return;
	}
	if (s == NULL)
		s = make_socket(t, fd);
	if (s != NULL)
		watch_set(s->watch, (is_read ? WATCH_READ : 0) |
		    (is_write ? WATCH_WRITE : 0));
}

/* ---- life ---- */

/* With all of these set c-ares looks at no file. */
static int
open_channel(struct transport *t, const char *servers, int64_t timeout_ms)
{
	static char lookups[] = "b";
	struct ares_options o = {
		.flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH |
		    ARES_FLAG_NOALIASES,
		.tries = TRIES, .ednspsz = UDP_BYTES, .lookups = lookups,
		.sock_state_cb = on_state, .sock_state_cb_data = t,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
	    ARES_OPT_NDOTS | ARES_OPT_SERVERS | ARES_OPT_DOMAINS |
	    ARES_OPT_LOOKUPS | ARES_OPT_SORTLIST | ARES_OPT_EDNSPSZ |
	    ARES_OPT_SOCK_STATE_CB;
	int status;

	/* each try waits twice as long as the one before: 1 + 2 + 4 */
	o.timeout = (int)(timeout_ms / ((1 << TRIES) - 1));
	if (o.timeout < 1)
		o.timeout = 1;
	status = ares_init_options(&t->channel, &o, mask);
	if (status != ARES_SUCCESS)
		return status;
	return ares_set_servers_ports_csv(t->channel, servers);
}

enum err
transport_new(struct loop *l, const char *servers, int64_t timeout_ms,
    struct transport **out)
{
	struct transport *t = calloc(1, sizeof(*t));
	int status;

	if (t == NULL)
		return ERR_NOMEM;
	t->loop = l;
	list_init(&t->sockets);
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
		free(t);
		return ERR_NOMEM;
	}
	if (timer_init(&t->timer, l, on_timer, t) != OK) {
		transport_free(&t);
		return ERR_NOMEM;
	}
	status = open_channel(t, servers, timeout_ms);
	if (status != ARES_SUCCESS) {
		transport_free(&t);
		return status == ARES_ENOMEM ? ERR_NOMEM : ERR_SYNTAX;
	}
	*out = t;
	return OK;
}

/* ares_destroy() calls back for all in flight, and closes its sockets, which
 * on_state() is told of. */
void
transport_free(struct transport **t)
{
	struct list *node;

	if (*t == NULL)
		return;
	if ((*t)->channel != NULL)
		ares_destroy((*t)->channel);
	ares_library_cleanup();
	while ((node = list_first(&(*t)->sockets)) != NULL)
		free_socket(CONTAINER_OF(node, struct socket, node));
	timer_clear(&(*t)->timer);
	free(*t);
	*t = NULL;
}

/* ---- questions ---- */

static bool
is_busy(const struct transport *t, uint16_t id)
{
	return (t->busy[id / 8] & (1U << (id % 8))) != 0;
}

/* A bit an id: 8 KiB, and no search. */
static void
set_busy(struct transport *t, uint16_t id, bool busy)
{
	uint8_t bit = (uint8_t)(1U << (id % 8));

	if (busy)
		t->busy[id / 8] |= bit;
	else
		t->busy[id / 8] &= (uint8_t)~bit;
}

/* An id that can't be guessed, and that no question in flight has. */
static enum err
draw_id(struct transport *t, uint16_t *out)
{
	do {
		if (t->n_ids == 0) {
			if (random_fill(t->ids, sizeof(t->ids)) != OK)
				return ERR_IO;
			t->n_ids = IDS;
		}
		*out = t->ids[--t->n_ids];
	} while (is_busy(t, *out));
	return OK;
}

/* c-ares tries every server before it gives up, and doesn't say then whether
 * they were silent, failed or refused. */
static const char *
reason(int status)
{
	switch (status) {
	case ARES_ECONNREFUSED:
		return "the name servers failed or could not be reached";
	case ARES_ETIMEOUT:
		return "no name server answered in time";
	default:
		return ares_strerror(status);
	}
}

/* Q is freed before the callee runs, which may ask again. */
static void
on_packet(void *ctx, int status, int timeouts, unsigned char *packet, int n)
{
	struct question *q = ctx;
	transport_fn *fn = q->fn;
	void *fn_ctx = q->ctx;

	(void)timeouts;
	set_busy(q->t, q->id, false);
	q->t->in_flight--;
	free(q);
	if (status == ARES_SUCCESS && packet != NULL && n > 0)
		fn(fn_ctx, span_of(packet, (size_t)n), NULL);
	else
		fn(fn_ctx, SPAN_NONE, reason(status));
}

/* Q is c-ares's from the call of ares_send() on, which may have ended it
 * already when it returns. */
static enum err
send_question(struct transport *t, const char *name, uint16_t type,
    struct question *q)
{
	unsigned char *packet = NULL;
	int n = 0;
	int status = ares_create_query(name, CLASS_IN, type, q->id, 1, &packet,
	    &n, UDP_BYTES);

	if (status != ARES_SUCCESS)
		return status == ARES_ENOMEM ? ERR_NOMEM : ERR_SYNTAX;
	/* ask for the AD bit of the answer, RFC 6840 5.7 */
	packet[3] |= AD_BIT;
	set_busy(t, q->id, true);
	t->in_flight++;
	ares_send(t->channel, packet, n, on_packet, q);
	ares_free_string(packet);
	return OK;
}

/* FN is called exactly once unless this fails. */
enum err
transport_ask(struct transport *t, const char *name, uint16_t type,
    transport_fn *fn, void *ctx)
{
	struct question *q;
	enum err e;

	if (t->in_flight >= TRANSPORT_IN_FLIGHT)
		return ERR_FULL;
	q = calloc(1, sizeof(*q));
	if (q == NULL)
		return ERR_NOMEM;
	q->t = t;
	q->fn = fn;
	q->ctx = ctx;
	e = draw_id(t, &q->id);
	if (e == OK)
		e = send_question(t, name, type, q);
	if (e != OK) {
		free(q);
		return e;
	}
	set_timer(t);
	return OK;
}

unsigned
transport_in_flight(const struct transport *t)
{
	return t->in_flight;
}
