/*
 * The wiring of an smtpd: what the parent sends, what queued sends, and what
 * all sessions share.
 *
 * While queued is away, sessions go on.  For GONE_AFTER_MS nobody is refused:
 * a queued that died is mostly back sooner, and mail that was sent meanwhile
 * waits in its session.  After that MAIL is answered with 451, and after
 * GIVE_UP_MS those that wait are, too; RFC 5321 4.5.3.2.6 lets a client wait
 * ten minutes for the answer to its final dot, but one that is kept so long
 * sends the message again.
 */
#include "smtpd/server.h"

#include "common/base/mtime.h"
#include "common/conf/conf_match.h"
#include "common/os/fd.h"
#include "common/os/rlimit.h"
#include "smtpd/doors.h"
#include "smtpd/quotas.h"
#include "smtpd/session_auth.h"
#include "smtpd/session_srs.h"

#include <time.h>

#define SPARE_FILES	64	/* channels, listeners, log */
#define TLS_AWAITED_MS	5000	/* keyd is late: serve without TLS */
#define SIGNER_REST_MS	10000	/* keyd gave no signature */
#define GONE_AFTER_MS	5000	/* queued away so long: refuse MAIL */
#define GIVE_UP_MS	60000	/* … so long: refuse what waits for it */
/* Zones change their offset at such a boundary only, so that the calendar is
 * asked once in a slot and not for each message. */
#define ZONE_SLOT_MS	(15 * MTIME_MINUTE)
#define CLIENT_CA_MAX	((size_t)256 * 1024)	/* as in messages.def */
#define ENVELOPE_MAX	((size_t)128 * 1024)
#define TRACE_HEAD_MAX	((size_t)4096)	/* as in `submit` */
#define TRACE_TAIL_MAX	((size_t)8192)
/* A thousand recipients fit; what is larger is rare and not kept. */
#define SCRATCH_KEEP	((size_t)256 * 1024)

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

/* The last one to go ends a process that drains. */
void
server_session_over(struct server *sv)
{
	sv->session_count--;
	if (sv->is_draining && sv->session_count == 0)
		proc_drained(sv->proc);
}

/* The zone's file was read before the process was confined. */
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

/* Submissions that wait need no help: `credit` sends them. */
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
	/* what becomes whole later is not to wait for ever either */
	timer_start(&sv->spool_timer, GONE_AFTER_MS);
}

/* Also called at the start: until queued's channel comes it is away. */
static void
queued_is_gone(struct server *sv)
{
	sv->spool_gone_at_ms = loop_now_ms(sv->loop);
	timer_start(&sv->spool_timer, GONE_AFTER_MS);
}

/* Listeners that need them have been closed to newcomers until now. */
static void
on_tls_timer(void *ctx)
{
	doors_resume(ctx);
}

/*
 * Whoever asks for a signature waits, and all others with it.  When keyd is
 * there and does not answer, clients are therefore asked to come again (454),
 * and it is tried once in SIGNER_REST_MS.
 */
void
server_look_at_signer(struct server *sv)
{
	sv->site.has_signer = certificates_can_sign(&sv->certificates);
	if (!sv->site.has_signer && sv->certificates.keyd != NULL &&
	    !timer_is_running(&sv->signer_timer))
		timer_start(&sv->signer_timer, SIGNER_REST_MS);
}

static void
on_signer_timer(void *ctx)
{
	struct server *sv = ctx;

	certificates_open_signer(&sv->certificates);
	server_look_at_signer(sv);
}

static void
on_peer(void *ctx, struct proc *p, struct channel *c)
{
	struct server *sv = ctx;

	(void)p;
	if (channel_peer(c)->role == ROLE_KEYD)
		certificates_attach(&sv->certificates, c);
	server_look_at_signer(sv);
	if (channel_peer(c)->role == ROLE_DNSD) {
		sv->dnsd = c;
		ask_set_channel(sv->ask, c);
	}
	if (channel_peer(c)->role != ROLE_QUEUED)
		return;
	timer_stop(&sv->spool_timer);
	quotas_forget(sv->quotas);
	sv->site.spool = RX_SPOOL_OPEN;
	sv->site.room_bytes = UINT64_MAX;	/* `room` comes at once */
	spool_client_attach(&sv->spool, c);
}

static void
on_peer_gone(void *ctx, struct proc *p, struct channel *c)
{
	struct server *sv = ctx;

	(void)p;
	if (sv->certificates.keyd == c) {
		certificates_detach(&sv->certificates);
		sv->site.has_signer = false;
		session_auth_give_up(sv);
		session_srs_give_up(sv);
	}
	if (sv->dnsd == c) {
		sv->dnsd = NULL;
		ask_set_channel(sv->ask, NULL);
	}
	if (sv->spool.channel != c)
		return;
	spool_client_detach(&sv->spool);
	queued_is_gone(sv);
}

static void
on_keyd(struct server *sv, const struct msg *m)
{
	switch (m->type) {
	case MSG_tls_chains:
		certificates_take(&sv->certificates, &m->tls_chains);
		doors_resume(sv);
		break;
	case MSG_auth_offer:
		sv->site.has_passwords = m->auth_offer.has_plain != 0;
		sv->site.has_scram = m->auth_offer.has_scram != 0;
		sv->site.has_bearer = m->auth_offer.has_bearer != 0;
		break;
	case MSG_auth_done:
		session_auth_done(sv, &m->auth_done);
		break;
	case MSG_srs_answer:
		session_srs_done(sv, &m->srs_answer);
		break;
	case MSG_scram_salt:
		session_auth_salt(sv, &m->scram_salt);
		break;
	default:
		break;
	}
}

/* No message from queued carries a descriptor; one that does is not let
 * leak. */
static void
on_peer_msg(void *ctx, struct proc *p, struct channel *c,
    const struct msg *m, int fd)
{
	struct server *sv = ctx;

	(void)p;
	if (fd >= 0)
		fd_close(&fd);
	if (sv->certificates.keyd == c)
		on_keyd(sv, m);
	if (sv->dnsd == c && m->type == MSG_dns_answer)
		ask_answer(sv->ask, &m->dns_answer);
	if (sv->spool.channel != c)
		return;
	if (m->type == MSG_room) {
		sv->site.spool = m->room.is_accepting ? RX_SPOOL_OPEN
		    : RX_SPOOL_FULL;
		sv->site.room_bytes = m->room.bytes;
	} else if (m->type == MSG_quota_full)
		quotas_take(sv->quotas, &m->quota_full);
	else
		spool_client_msg(&sv->spool, m);
	/* a large envelope's memory isn't kept */
	if (sv->envelope.size > SCRATCH_KEEP)
		buf_clear(&sv->envelope);
}

/* ---- configuration ---- */

/* All or nothing: the old rules are in force until the new ones are made.  The
 * budget for bodies is shared out evenly, for the workers don't know of each
 * other's use. */
static enum err
take_conf(struct server *sv, const struct conf *conf)
{
	struct conf_match *match = NULL;
	struct route_table *routes = NULL;
	uint64_t files;
	enum err e = conf_match_new(conf, &match);

	if (e != OK || (e = route_table_new(conf, &routes)) != OK ||
	    (e = quotas_reload(sv->quotas, conf)) != OK ||
	    (e = gate_reload(sv, conf)) != OK) {
		conf_match_free(&match);
		route_table_free(&routes);
		return e;
	}
	conf_match_free(&sv->match);
	route_table_free(&sv->routes);
	sv->match = match;
	sv->routes = routes;
	sv->conf = conf;
	sv->site.conf = conf;
	sv->site.match = match;
	sv->site.routes = routes;
	sv->bodies.budget_bytes = conf->limits.body_memory_bytes /
	    (proc_workers(sv->proc) > 0 ? proc_workers(sv->proc) : 1);
	/* as many again for those that were refused and read their 421 */
	(void)rlimit_raise_files((uint64_t)conf->limits.connections * 2 +
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
on_listener(void *ctx, struct proc *p, const struct proc_listener *l, int fd)
{
	if (doors_open(ctx, l->index, l->address, fd) != OK)
		proc_fail(p, "a listener could not be taken over");
}

static void
on_listener_gone(void *ctx, struct proc *p, const struct proc_listener *l)
{
	(void)p;
	doors_shut(ctx, l->index, l->address);
}

/* Before the start it is kept: nothing is parsed with privileges. */
static void
take_client_ca(struct server *sv, const struct msg_client_ca *m)
{
	if (sv->proc != NULL) {
		certificates_take_client_ca(&sv->certificates, m->name.n > 0,
		    m->pem);
		return;
	}
	sv->has_early_ca = m->name.n > 0;
	buf_init(&sv->early_ca, CLIENT_CA_MAX);
	buf_add_span(&sv->early_ca, m->pem);
}

/* The table of clients comes before `start`.  Its keys are secret, so that
 * nobody can choose addresses that fall into one slot. */
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
	if (m->type == MSG_client_ca)
		take_client_ca(sv, &m->client_ca);
	if (fd >= 0)
		fd_close(&fd);
}

/* SELF is zero but for the table of clients and early_ca, which came before. */
static enum err
on_start(void *ctx, struct proc *p, struct why *why)
{
	struct server *sv = ctx;

	sv->proc = p;
	sv->loop = proc_loop(p);
	sv->log = proc_log(p);
	list_init(&sv->sessions);
	list_init(&sv->strangers);
	list_init(&sv->asking);
	list_init(&sv->tracing);
	list_init(&sv->listeners);
	bodies_init(&sv->bodies, 0);
	buf_init(&sv->envelope, ENVELOPE_MAX);
	buf_init(&sv->trace_head, TRACE_HEAD_MAX);
	buf_init(&sv->trace_tail, TRACE_TAIL_MAX);
	spool_client_init(&sv->spool, &spool_ops, sv, proc_instance(p));
	certificates_init(&sv->certificates, sv->log);
	certificates_take_client_ca(&sv->certificates, sv->has_early_ca,
	    buf_span(&sv->early_ca));
	buf_clear(&sv->early_ca);
	if (sv->clients == NULL)
		return why_set(why, ERR_PEER, "no table of clients came");
	if (timer_init(&sv->spool_timer, sv->loop, on_spool_timer, sv) != OK ||
	    timer_init(&sv->tls_timer, sv->loop, on_tls_timer, sv) != OK ||
	    timer_init(&sv->signer_timer, sv->loop, on_signer_timer, sv) !=
	    OK ||
	    refusals_init(sv) != OK || gate_open(sv) != OK ||
	    quotas_new(sv, &sv->quotas) != OK)
		return why_set(why, ERR_NOMEM, "no memory for timers");
	if (take_conf(sv, proc_conf(p)) != OK)
		return why_set(why, ERR_NOMEM, "no memory for the rules");
	sv->site.spool = RX_SPOOL_OPEN;
	sv->site.room_bytes = UINT64_MAX;
	/* no channel yet */
	queued_is_gone(sv);
	timer_start(&sv->tls_timer, TLS_AWAITED_MS);
	return OK;
}

/* Sessions close when they have finished what is in hand; the parent kills the
 * process when its patience ends, so there is no timer here. */
static void
on_drain(void *ctx, struct proc *p, int64_t grace_ms)
{
	struct server *sv = ctx;

	(void)grace_ms;
	if (sv->is_draining)
		return;
	sv->is_draining = true;
	doors_close(sv);
	sv->session_count++;	/* not drained before all were asked */
	each_session(sv, session_drain);
	server_session_over(sv);
	(void)p;
}

/* Sessions end without a word, and without a message to queued, which sees the
 * channel end. */
static void
on_stop(void *ctx, struct proc *p)
{
	struct server *sv = ctx;

	(void)p;
	sv->is_draining = false;
	doors_close(sv);
	/* it is being closed by the skeleton */
	sv->spool.channel = NULL;
	each_session(sv, session_free);
	gate_close(sv);
	quotas_free(&sv->quotas);
	timer_clear(&sv->spool_timer);
	timer_clear(&sv->tls_timer);
	timer_clear(&sv->signer_timer);
	certificates_clear(&sv->certificates);
	refusals_clear(sv);
	spool_client_clear(&sv->spool);
	bodies_clear(&sv->bodies);
	buf_clear(&sv->envelope);
	buf_clear(&sv->trace_head);
	buf_clear(&sv->trace_tail);
	conf_match_free(&sv->match);
	route_table_free(&sv->routes);
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
