/*
 * Doors: listeners, and what happens to a connection before it is a session.
 *
 * A connection that is refused gets a session where its 554 or 421 has to
 * linger, for the client may be speaking; else it gets one write (refusal.h).
 * Only `granted` ones are counted, so that a flood of refused clients takes no
 * places from others.
 *
 * Where a listener has proxies, their PROXY header comes first (arrival.h):
 * all that is decided here is decided about the client that it names.
 */
#include "smtpd/doors.h"

#include "common/base/check.h"
#include "common/os/fd.h"
#include "common/os/sock.h"
#include "smtpd/admission.h"
#include "smtpd/arrival.h"
#include "smtpd/engine/rx_rules.h"
#include "smtpd/session_log.h"

#include <stdlib.h>

/* Enough to find an idle one unless nearly all are busy, and no more work than
 * that for each connection of a flood. */
#define EVICT_LOOKS	64	/* sessions looked at for an idle one */
#define EVICT_MANY	4	/* connections of one address */

#define EXHAUSTED_QUIET_MS	10000	/* between two lines about it */

struct door {			/* a listener */
	struct server *server;
	struct list node;
	struct list arrivals;		/* of proxies */
	struct listener *listener;
	uint16_t index;
	int64_t quiet_until_ms;		/* no more lines of exhaustion */
	char address[256];
};

/* One of many of the same address that sends no content now. */
static bool
is_one_of_many(const struct server *sv, const struct session *s)
{
	return session_is_between(s) &&
	    client_table_count(sv->clients, &s->client.addr) >= EVICT_MANY;
}

/* Who has to go when there is no place for CLIENT: the stranger that has been
 * idle longest; if there is none, and CLIENT has no connection yet, one of a
 * crowd.  NULL: nobody. */
static struct session *
find_victim(struct server *sv, const struct ipaddr *client)
{
	struct list *node = list_first(&sv->strangers);
	bool is_first = client_table_count(sv->clients, client) == 0;
	int64_t now = loop_now_ms(sv->loop);
	struct session *of_many = NULL;

	for (int i = 0; node != NULL && i < EVICT_LOOKS; i++) {
		struct session *s = CONTAINER_OF(node, struct session,
		    idle_node);

		if (session_is_idle(s, now))
			return s;
		if (is_first && of_many == NULL && is_one_of_many(sv, s))
			of_many = s;
		node = list_next(&sv->strangers, node);
	}
	return of_many;
}

/* False: nobody has to go. */
static bool
evict(struct server *sv, const struct ipaddr *client)
{
	struct session *s = find_victim(sv, client);

	if (s == NULL)
		return false;
	refusal_log(sv, &s->client, session_is_idle(s, loop_now_ms(sv->loop)) ?
	    "idle, and its place was needed" :
	    "one of many, and its place was needed");
	session_close(s, RX_CLOSE_CROWDED);
	return true;
}

/* Who speaks before the greeting is no mail server; our own clients may be
 * as hasty as they like. */
static bool
is_early(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

/* Cheap reasons first.  A place is asked for last, for it is counted when
 * given. */
static enum rx_greeting
judge(struct server *sv, int fd, const struct ipaddr *client, bool is_tls)
{
	bool is_trusted = rx_rules_is_trusted(&sv->site, client);
	enum admission answer;

	if (sv->is_draining)
		return RX_GREET_STOPPING;
	/* in TLS the client speaks first */
	if (!is_trusted && !is_tls && is_early(fd))
		return RX_GREET_EARLY;
	answer = admission_enter(sv->clients, sv->conf, client, is_trusted);
	/* once only: who was thrown out has left already */
	if (answer == ADMISSION_FULL && evict(sv, client))
		answer = admission_enter(sv->clients, sv->conf, client,
		    is_trusted);
	switch (answer) {
	case ADMISSION_GRANTED:
		return RX_GREET_WELCOME;
	case ADMISSION_CROWD:
		return RX_GREET_CROWD;
	case ADMISSION_FULL:
		break;
	}
	return RX_GREET_BUSY;
}

static bool
is_within(const struct conf_networks *networks, const struct ipaddr *addr)
{
	for (size_t i = 0; i < networks->n; i++)
		if (ipaddr_prefix_has(&networks->v[i], addr))
			return true;
	return false;
}

/* After a reload a number may be that of a row that is gone: then it is an
 * ordinary door until the parent has said more. */
static void
look_up(const struct server *sv, uint16_t index, const struct ipaddr *client,
    struct session_door *out)
{
	const struct conf_listeners *rows = &sv->conf->listeners;
	struct conf_listener row = { .tls = CONF_LISTENER_TLS_NONE };

	if (index < rows->n)
		row = rows->v[index];
	*out = (struct session_door){
		.rx.listener = index,
		.rx.is_tls = row.tls == CONF_LISTENER_TLS_IMPLICIT,
		.rx.may_tls = row.tls == CONF_LISTENER_TLS_STARTTLS &&
		    certificates_are_there(&sv->certificates, row.service),
		.rx.needs_tls = row.service == CONF_SERVICE_SUBMISSION,
		.rx.may_xclient = is_within(&row.xclient, client),
		.rx.needs_auth = row.service == CONF_SERVICE_SUBMISSION,
		.service = row.service,
	};
}

/* By one write, for it may be one of very many; who expects TLS hears
 * nothing. */
static void
turn_away(struct server *sv, int fd, const struct endpoint *client,
    const struct session_door *to, enum rx_reply_id reply, const char *why)
{
	refusal_send(sv, fd, client,
	    to->rx.is_tls ? RX_REPLY_NONE : reply, why);
}

/* FD is ours now: either the session takes it or it is closed here. */
static void
admit(void *ctx, int fd, const struct endpoint *client,
    const struct ipaddr *proxy)
{
	static const char *const words[] = {
		[RX_GREET_UNWANTED] = "unwanted",
		[RX_GREET_EARLY] = "spoke before the greeting",
		[RX_GREET_BUSY] = "limits.connections",
		[RX_GREET_STOPPING] = "shutting down",
	};
	struct door *door = ctx;
	struct server *sv = door->server;
	struct session_door to;
	enum rx_greeting how;
	bool is_counted;

	look_up(sv, door->index, &client->addr, &to);
	if (admission_is_too_fast(sv->clients, sv->conf, &client->addr,
	    rx_rules_is_trusted(&sv->site, &client->addr),
	    loop_now_ms(sv->loop))) {
		turn_away(sv, fd, client, &to, RX_REPLY_RATE,
		    "limits.connections_rate");
		return;
	}
	if (proxy != NULL)
		to.proxy = *proxy;
	how = judge(sv, fd, &client->addr, to.rx.is_tls);
	if (how == RX_GREET_CROWD) {
		turn_away(sv, fd, client, &to, RX_REPLY_CROWD,
		    "limits.connections_per_client");
		return;
	}
	is_counted = how == RX_GREET_WELCOME;
	if (!is_counted)
		refusal_log(sv, client, words[how]);
	if (session_new(sv, fd, client, &to, how, is_counted) == OK)
		return;
	if (is_counted)
		admission_leave(sv->clients, &client->addr);
	refusal_log(sv, client, "no memory, or no TLS");
	fd_close(&fd);
}

/* A listener with proxies takes no plain client: who reached it directly could
 * otherwise be anybody, or tell us that he is. */
static void
on_accept(void *ctx, int fd, const struct endpoint *peer)
{
	struct door *door = ctx;
	struct server *sv = door->server;
	const struct conf_listeners *rows = &sv->conf->listeners;
	const struct conf_listener *row = rows->v + door->index;

	/* the row is gone by a reload, and the door about to follow */
	if (door->index >= rows->n) {
		fd_close(&fd);
		return;
	}
	if (row->proxy.n == 0)
		admit(door, fd, peer, NULL);
	else if (is_within(&row->proxy, &peer->addr))
		arrival_begin(sv, &door->arrivals, fd, peer, admit, door);
	else
		refusal_send(sv, fd, peer,
		    row->tls == CONF_LISTENER_TLS_IMPLICIT ? RX_REPLY_NONE :
		    RX_REPLY_ONLY_PROXIES, "not in listeners[].proxy");
}

/* No descriptor left: one client after the other hears why. */
static void
on_exhausted(void *ctx, int fd, int error)
{
	static const char busy[] =
	    "421 4.3.2 Too many connections; try again later\r\n";
	struct door *door = ctx;
	struct log *log = door->server->log;
	int64_t now = loop_now_ms(door->server->loop);

	if (now >= door->quiet_until_ms &&
	    log_begin(log, LOG_ACCEPT_PAUSED, NULL)) {
		door->quiet_until_ms = now + EXHAUSTED_QUIET_MS;
		log_str(log, "address", door->address);
		log_str(log, "why", strerror(error));
		log_end(log);
	}
	if (fd < 0)
		return;
	(void)send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	fd_close(&fd);
}

static const struct listener_ops door_ops = { on_accept, on_exhausted };

static void
shut(struct door *door)
{
	listener_close(&door->listener);
	arrivals_close(&door->arrivals);
	list_remove(&door->node);
	free(door);
}

/* Certificates are configured, and keyd has not yet sent them: a client that
 * came now would find no TLS where it expects it. */
static bool
is_awaiting(const struct server *sv)
{
	return sv->conf->tls.certificate.n > 0 &&
	    !sv->certificates.has_come &&
	    timer_is_running(&sv->tls_timer);
}

/* Takes FD in any case. */
enum err
doors_open(struct server *sv, uint16_t index, struct span address, int fd)
{
	struct door *door = calloc(1, sizeof(*door));
	enum err e = ERR_NOMEM;

	if (door != NULL) {
		list_init(&door->arrivals);
		e = listener_new(sv->loop, fd, &door_ops, door,
		    &door->listener);
	}
	if (e != OK) {
		fd_close(&fd);
		free(door);
		return e;
	}
	/* replies are gathered and written once a turn: nothing to wait for;
	 * what is accepted inherits it */
	(void)sock_set_nodelay(fd);
	door->server = sv;
	door->index = index;
	span_copy(address, door->address, sizeof(door->address));
	list_add_last(&sv->listeners, &door->node);
	if (is_awaiting(sv))
		listener_pause(door->listener);
	/* the process ends: close our copy, so that the port can close */
	if (sv->is_draining)
		shut(door);
	return OK;
}

void
doors_resume(struct server *sv)
{
	struct list *node;

	timer_stop(&sv->tls_timer);
	for (node = list_first(&sv->listeners); node != NULL;
	    node = list_next(&sv->listeners, node))
		listener_resume(CONTAINER_OF(node, struct door,
		    node)->listener);
}

/* By number and address: after a reload the same number may mean another
 * address, and `*` has two sockets of one number. */
void
doors_shut(struct server *sv, uint16_t index, struct span address)
{
	struct list *node = list_first(&sv->listeners);

	while (node != NULL) {
		struct door *door = CONTAINER_OF(node, struct door, node);

		node = list_next(&sv->listeners, node);
		if (door->index == index &&
		    span_equal(span_str(door->address), address))
			shut(door);
	}
}

void
doors_close(struct server *sv)
{
	struct list *node;

	while ((node = list_first(&sv->listeners)) != NULL)
		shut(CONTAINER_OF(node, struct door, node));
}
