#include "smtpd/server.h"

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "common/conf/conf_match.h"
#include "common/os/fd.h"
#include "common/os/rlimit.h"
#include "common/os/sock.h"
#include "smtpd/admission.h"
#include "smtpd/engine/rx_rules.h"
#include "smtpd/session_log.h"

#include <stdlib.h>
#include <time.h>

#define SPARE_FILES	64	/* channels, listeners, log */
#define GONE_AFTER_MS	5000	/* queued away so long: refuse MAIL */
#define GIVE_UP_MS	60000	/* … so long: refuse what waits for it */
#define EVICT_LOOKS	64	/* sessions looked at for an idle one */
#define ZONE_SLOT_MS	(15 * MTIME_MINUTE)
#define ENVELOPE_MAX	((size_t)64 * 1024 * 1024)
#define TRACE_HEAD_MAX	((size_t)4096)	/* as in `submit` */
#define TRACE_TAIL_MAX	((size_t)8192)
#define SCRATCH_KEEP	((size_t)256 * 1024)

struct door {			/* a listener */
	struct server *server;
	struct list node;
	struct listener *listener;
	uint16_t index;
	char address[256];
};

/* ---- clients come ---- */

/* Closes the stranger that has been idle longest; false: there is none. */
static bool
evict(struct server *sv)
{
	struct list *node = list_first(&sv->strangers);
	int64_t now = loop_now_ms(sv->loop);

	for (int i = 0; node != NULL && i < EVICT_LOOKS; i++) {
		struct session *s = CONTAINER_OF(node, struct session,
		    idle_node);

		if (session_is_idle(s, now)) {
			session_log_refused(sv->log, &s->client,
			    "idle, and its place was needed");
			session_close(s, RX_CLOSE_CROWDED);
			return true;
		}
		node = list_next(&sv->strangers, node);
	}
	return false;
}

/* Who speaks before the greeting is no mail server; our own clients may be
 * as hasty as they like. */
static bool
is_early(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static enum rx_greeting
judge(struct server *sv, int fd, const struct ipaddr *client)
{
	bool is_trusted = rx_rules_is_trusted(&sv->site, client);
	enum admission answer;

	if (sv->is_draining)
		return RX_GREET_STOPPING;
	if (!is_trusted && is_early(fd))
		return RX_GREET_EARLY;
	answer = admission_enter(sv->clients, sv->conf, client, is_trusted);
	if (answer == ADMISSION_FULL && evict(sv))
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

static void
on_accept(void *ctx, int fd, const struct endpoint *client)
{
	static const char *const words[] = {
		[RX_GREET_UNWANTED] = "unwanted",
		[RX_GREET_EARLY] = "spoke before the greeting",
		[RX_GREET_BUSY] = "limits.connections",
		[RX_GREET_CROWD] = "limits.connections_per_client",
		[RX_GREET_STOPPING] = "shutting down",
	};
	struct door *door = ctx;
	struct server *sv = door->server;
	enum rx_greeting how = judge(sv, fd, &client->addr);
	bool is_counted = how == RX_GREET_WELCOME;

	if (!is_counted)
		session_log_refused(sv->log, client, words[how]);
	(void)sock_set_nodelay(fd);
	if (session_new(sv, fd, client, door->index, how, is_counted) == OK)
		return;
	if (is_counted)
		admission_leave(sv->clients, &client->addr);
	session_log_refused(sv->log, client, "out of memory");
	fd_close(&fd);
}

/* No descriptor left: one client after the other hears why. */
static void
on_exhausted(void *ctx, int fd, int error)
{
	static const char busy[] =
	    "421 4.3.2 Too many connections; try again later\r\n";
	struct door *door = ctx;
	struct log *log = door->server->log;

	if (log_begin(log, LOG_ACCEPT_PAUSED, NULL)) {
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
door_close(struct door *door)
{
	listener_close(&door->listener);
	list_remove(&door->node);
	free(door);
}

static void
on_listener(void *ctx, struct proc *p, const struct proc_listener *l, int fd)
{
	struct server *sv = ctx;
	struct door *door = calloc(1, sizeof(*door));

	(void)p;
	if (door == NULL ||
	    listener_new(sv->loop, fd, &door_ops, door, &door->listener) !=
	    OK) {
		fd_close(&fd);
		free(door);
		proc_fail(sv->proc, "a listener could not be taken over");
		return;
	}
	door->server = sv;
	door->index = l->index;
	span_copy(l->address, door->address, sizeof(door->address));
	list_add_last(&sv->listeners, &door->node);
	if (sv->is_draining)
		door_close(door);
}

static void
on_listener_gone(void *ctx, struct proc *p, const struct proc_listener *l)
{
	struct server *sv = ctx;
	struct list *node = list_first(&sv->listeners);

	(void)p;
	while (node != NULL) {
		struct door *door = CONTAINER_OF(node, struct door, node);

		node = list_next(&sv->listeners, node);
		if (door->index == l->index &&
		    span_equal(span_str(door->address), l->address))
			door_close(door);
	}
}

/* ---- sessions ---- */

/* FN may end the session it is called for, and no other. */
static void
each_session(struct server *sv, void (*fn)(struct session *s))
{
	struct list *node = list_first(&sv->sessions);

	while (node != NULL) {
		struct session *s = CONTAINER_OF(node, struct session, node);

		node = list_next(&sv->sessions, node);
		fn(s);
	}
}

void
server_session_over(struct server *sv)
{
	sv->session_count--;
	if (sv->is_draining && sv->session_count == 0)
		proc_drained(sv->proc);
}

int
server_zone_min(struct server *sv, int64_t wall_ms)
{
	int64_t slot = wall_ms / ZONE_SLOT_MS;
	time_t at = (time_t)(wall_ms / MTIME_SECOND);
	struct tm tm;

	if (slot != sv->zone_slot && localtime_r(&at, &tm) != NULL) {
		sv->zone_min = (int)(tm.tm_gmtoff / 60);
		sv->zone_slot = slot;
	}
	return sv->zone_min;
}

/* ---- queued ---- */

static void
on_attached(void *ctx)
{
	struct server *sv = ctx;

	each_session(sv, session_wake);
}

static const struct spool_ops spool_ops = {
	session_on_fill, session_on_result, session_on_failed,
	session_on_credit, on_attached,
};

/* A short absence nobody needs to know of: mail waits for queued. */
static void
on_spool_timer(void *ctx)
{
	struct server *sv = ctx;
	int64_t away = loop_now_ms(sv->loop) - sv->spool_gone_at_ms;

	sv->site.spool = RX_SPOOL_GONE;
	if (away < GIVE_UP_MS) {
		timer_start_at(&sv->spool_timer,
		    sv->spool_gone_at_ms + GIVE_UP_MS);
		return;
	}
	spool_client_give_up(&sv->spool);
	each_session(sv, session_give_up);
}

static void
queued_is_gone(struct server *sv)
{
	sv->spool_gone_at_ms = loop_now_ms(sv->loop);
	timer_start(&sv->spool_timer, GONE_AFTER_MS);
}

static void
on_peer(void *ctx, struct proc *p, struct channel *c)
{
	struct server *sv = ctx;

	(void)p;
	if (channel_peer(c)->role != ROLE_QUEUED)
		return;
	timer_stop(&sv->spool_timer);
	sv->site.spool = RX_SPOOL_OPEN;
	sv->site.room_bytes = UINT64_MAX;	/* `room` comes at once */
	spool_client_attach(&sv->spool, c);
}

static void
on_peer_gone(void *ctx, struct proc *p, struct channel *c)
{
	struct server *sv = ctx;

	(void)p;
	if (sv->spool.channel != c)
		return;
	spool_client_detach(&sv->spool);
	queued_is_gone(sv);
}

static void
on_peer_msg(void *ctx, struct proc *p, struct channel *c,
    const struct msg *m, int fd)
{
	struct server *sv = ctx;

	(void)p;
	if (fd >= 0)
		fd_close(&fd);
	if (sv->spool.channel != c)
		return;
	if (m->type == MSG_room) {
		sv->site.spool = m->room.is_accepting ? RX_SPOOL_OPEN
		    : RX_SPOOL_FULL;
		sv->site.room_bytes = m->room.bytes;
	} else
		spool_client_msg(&sv->spool, m);
	/* a large envelope's memory isn't kept */
	if (sv->envelope.size > SCRATCH_KEEP)
		buf_clear(&sv->envelope);
}

/* ---- configuration ---- */

static enum err
take_conf(struct server *sv, const struct conf *conf)
{
	struct conf_match *match;
	uint64_t files;
	enum err e = conf_match_new(conf, &match);

	if (e != OK)
		return e;
	conf_match_free(&sv->match);
	sv->match = match;
	sv->conf = conf;
	sv->site.conf = conf;
	sv->site.match = match;
	sv->bodies.budget_bytes = conf->limits.body_memory_bytes /
	    (proc_workers(sv->proc) > 0 ? proc_workers(sv->proc) : 1);
	(void)rlimit_raise_files((uint64_t)conf->limits.connections +
	    SPARE_FILES, &files);
	return OK;
}

static void
on_reload(void *ctx, struct proc *p, const struct conf *old)
{
	struct server *sv = ctx;

	(void)old;
	if (take_conf(sv, proc_conf(p)) != OK)
		proc_fail(p, "no memory for the new configuration");
}

/* ---- life ---- */

static void
on_msg(void *ctx, struct proc *p, const struct msg *m, int fd)
{
	struct server *sv = ctx;
	struct siphash_key key;

	if (m->type == MSG_client_table && fd >= 0) {
		key.k0 = m->client_table.key0;
		key.k1 = m->client_table.key1;
		client_table_free(&sv->clients);
		if (client_table_attach(fd, m->client_table.worker,
		    m->client_table.workers, m->client_table.capacity, &key,
		    &sv->clients) == OK)
			return;
		proc_fail(p, "the table of clients is unusable");
	}
	if (fd >= 0)
		fd_close(&fd);
}

static enum err
on_start(void *ctx, struct proc *p, struct why *why)
{
	struct server *sv = ctx;

	sv->proc = p;
	sv->loop = proc_loop(p);
	sv->log = proc_log(p);
	list_init(&sv->sessions);
	list_init(&sv->strangers);
	list_init(&sv->listeners);
	bodies_init(&sv->bodies, 0);
	buf_init(&sv->envelope, ENVELOPE_MAX);
	buf_init(&sv->trace_head, TRACE_HEAD_MAX);
	buf_init(&sv->trace_tail, TRACE_TAIL_MAX);
	spool_client_init(&sv->spool, &spool_ops, sv, proc_instance(p));
	if (sv->clients == NULL)
		return why_set(why, ERR_PEER, "no table of clients came");
	if (timer_init(&sv->spool_timer, sv->loop, on_spool_timer, sv) != OK)
		return why_set(why, ERR_NOMEM, "no memory for timers");
	if (take_conf(sv, proc_conf(p)) != OK)
		return why_set(why, ERR_NOMEM, "no memory for the rules");
	sv->site.spool = RX_SPOOL_OPEN;
	sv->site.room_bytes = UINT64_MAX;
	queued_is_gone(sv);
	return OK;
}

static void
on_drain(void *ctx, struct proc *p, int64_t grace_ms)
{
	struct server *sv = ctx;
	struct list *node;

	(void)grace_ms;
	if (sv->is_draining)
		return;
	sv->is_draining = true;
	while ((node = list_first(&sv->listeners)) != NULL)
		door_close(CONTAINER_OF(node, struct door, node));
	sv->session_count++;	/* not drained before all were asked */
	each_session(sv, session_drain);
	server_session_over(sv);
	(void)p;
}

static void
on_stop(void *ctx, struct proc *p)
{
	struct server *sv = ctx;
	struct list *node;

	(void)p;
	sv->is_draining = false;
	while ((node = list_first(&sv->listeners)) != NULL)
		door_close(CONTAINER_OF(node, struct door, node));
	sv->spool.channel = NULL;
	each_session(sv, session_free);
	timer_clear(&sv->spool_timer);
	spool_client_clear(&sv->spool);
	bodies_clear(&sv->bodies);
	buf_clear(&sv->envelope);
	buf_clear(&sv->trace_head);
	buf_clear(&sv->trace_tail);
	conf_match_free(&sv->match);
	client_table_free(&sv->clients);
}

const struct proc_ops server_ops = {
	.role = ROLE_SMTPD,
	.on_start = on_start,
	.on_reload = on_reload,
	.on_listener = on_listener,
	.on_listener_gone = on_listener_gone,
	.on_peer = on_peer,
	.on_peer_msg = on_peer_msg,
	.on_peer_gone = on_peer_gone,
	.on_msg = on_msg,
	.on_drain = on_drain,
	.on_stop = on_stop,
};
