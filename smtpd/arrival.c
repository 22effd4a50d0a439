/*
 * The header is looked at before it is taken (MSG_PEEK), so that what follows
 * it, a greeting that came early or the first octets of TLS, stays where the
 * session looks for it.  What is known to be a part of the header is taken at
 * once, or the watch would tell of it for ever.
 */
#include "smtpd/arrival.h"

#include "common/base/proxy_header.h"
#include "common/conf/conf.h"
#include "common/loop/watch.h"
#include "common/os/fd.h"
#include "smtpd/refusal.h"
#include "smtpd/server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

struct arrival {
	struct list node;
	struct server *server;
	struct watch *watch;
	struct timer timer;
	arrival_fn *fn;
	void *ctx;
	struct endpoint proxy;
	int fd;				/* -1: given on */
	size_t n;			/* of bytes: taken from fd */
	uint8_t bytes[PROXY_HEADER_MAX];
};

static void
drop(struct arrival *a)
{
	watch_free(&a->watch);
	timer_clear(&a->timer);
	list_remove(&a->node);
	a->server->arrival_count--;
	fd_close(&a->fd);
	free(a);
}

static void
refuse(struct arrival *a, const char *why)
{
	refusal_log(a->server, &a->proxy, why);
	drop(a);
}

/* Of what has been looked at; it is there. */
static bool
take(struct arrival *a, size_t n)
{
	if (n > 0 && recv(a->fd, a->bytes + a->n, n, MSG_DONTWAIT) !=
	    (ssize_t)n)
		return false;
	a->n += n;
	return true;
}

static void
hand_on(struct arrival *a, const struct proxy_header *h)
{
	struct endpoint client = h->has_client ? h->client : a->proxy;
	struct ipaddr proxy = a->proxy.addr;
	arrival_fn *fn = a->fn;
	void *ctx = a->ctx;
	int fd = a->fd;

	/* nothing of it is left when a session is made of FD */
	a->fd = -1;
	drop(a);
	fn(ctx, fd, &client, &proxy);
}

static void
look(struct arrival *a)
{
	struct proxy_header h = { 0 };
	ssize_t got = recv(a->fd, a->bytes + a->n, sizeof(a->bytes) - a->n,
	    MSG_PEEK | MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0 && a->n == 0) {
		/* a look whether we are here, such as balancers take */
		drop(a);
		return;
	}
	if (got <= 0) {
		refuse(a, "closed inside the PROXY header");
		return;
	}
	switch (proxy_header_parse(span_of(a->bytes, a->n + (size_t)got),
	    &h)) {
	case PROXY_HEADER_MORE:
		if (!take(a, (size_t)got))
			refuse(a, "the connection was lost");
		break;
	case PROXY_HEADER_WHOLE:
		if (take(a, h.bytes - a->n))
			hand_on(a, &h);
		else
			refuse(a, "the connection was lost");
		break;
	case PROXY_HEADER_BAD:
		refuse(a, h.why);
		break;
	}
}

static void
on_ready(void *ctx, unsigned events)
{
	(void)events;
	look(ctx);
}

static void
on_timer(void *ctx)
{
	refuse(ctx, "no PROXY header in time");
}

void
arrival_begin(struct server *sv, struct list *list, int fd,
    const struct endpoint *proxy, arrival_fn *fn, void *ctx)
{
	struct arrival *a = malloc(sizeof(*a));

	/* they have to end up below that limit anyhow */
	if (a == NULL || sv->arrival_count >= sv->conf->limits.connections) {
		refusal_log(sv, proxy, a == NULL ? "out of memory" :
		    "limits.connections");
		fd_close(&fd);
		free(a);
		return;
	}
	*a = (struct arrival){ .server = sv, .fn = fn, .ctx = ctx,
	    .proxy = *proxy, .fd = fd };
	list_add_last(list, &a->node);
	sv->arrival_count++;
	if (timer_init(&a->timer, sv->loop, on_timer, a) != OK ||
	    watch_new(sv->loop, fd, on_ready, a, &a->watch) != OK) {
		refuse(a, "out of memory");
		return;
	}
	timer_start(&a->timer, ARRIVAL_WAIT_MS);
	watch_set(a->watch, WATCH_READ);
	/* mostly it came with the connection */
	look(a);
}

void
arrivals_close(struct list *list)
{
	struct list *node;

	while ((node = list_first(list)) != NULL)
		drop(CONTAINER_OF(node, struct arrival, node));
}
