/*
 * deliverd: delivers what queued leases to it, by SMTP.
 *
 * Here are the ends: start, configuration, siblings that come, speak and go,
 * and the drain.  Siblings may be away at any time, and a new one may come
 * before the old one is gone: so each message and each end is compared with
 * the channel that counts now.
 */
#include <stdlib.h>
#include <unistd.h>

#include "common/conf/conf.h"
#include "common/ipc/ask.h"
#include "common/ipc/channel.h"
#include "common/log/log.h"
#include "common/os/random.h"
#include "common/os/thread.h"
#include "common/tls/tls_client.h"
#include "deliverd/deliverd.h"
#include "deliverd/explain.h"
#include "deliverd/jobs.h"
#include "deliverd/pool.h"
#include "deliverd/sender.h"
#include "deliverd/session.h"
#include "deliverd/session_auth.h"
#include "deliverd/session_unix.h"
#include "deliverd/settings.h"
#include "deliverd/sts_ask.h"
#include "deliverd/tls_record.h"

#define AUTHORITIES_MAX	((size_t)2 * 1024 * 1024)	/* as in messages.def */

/* ---- start ---- */

/* The dice shuffle hosts; the key guards our maps against chosen names. */
static enum err
make_dice(struct deliverd *d)
{
	uint64_t seed;
	enum err e = random_u64(&seed);

	if (e != OK)
		return e;
	rng_init(&d->dice, seed);
	return random_key(&d->seed);
}

static enum err
make_parts(struct deliverd *d)
{
	enum err e = settings_new(proc_conf(d->proc),
	    proc_generation(d->proc), proc_workers(d->proc), &d->settings);

	if (e == OK)
		e = ask_new(d->loop, &d->seed, &d->ask);
	if (e == OK)
		e = sts_ask_new(d->loop, &d->seed, &d->sts_ask);
	if (e == OK)
		e = jobs_new(d, &d->jobs);
	if (e == OK)
		e = pool_new(d, &d->pool);
	if (e == OK)
		e = explains_new(d, &d->explains);
	return e;
}

/* Sessions go on with those that they began with. */
static void
take_authorities(struct deliverd *d, struct span pem)
{
	struct tls_client *made;
	enum err e = tls_client_new(pem, &made);

	if (e == OK) {
		tls_client_free(&d->tls);
		d->tls = made;
	} else if (d->log != NULL && log_begin(d->log, LOG_TLS_UNAVAILABLE,
	    NULL)) {
		log_str(d->log, "step", "taking over the authorities");
		log_str(d->log, "why", e == ERR_SYNTAX
		    ? "no certificate is in them" : err_text(e));
		log_end(d->log);
	}
}

static enum err
on_start(void *ctx, struct proc *p, struct why *why)
{
	struct deliverd *d = ctx;
	enum err e;

	d->proc = p;
	d->loop = proc_loop(p);
	d->log = proc_log(p);
	list_init(&d->asking);
	list_init(&d->dialing);
	certificates_init(&d->certificates);
	list_init(&d->signing);
	/* woken by a lease it would stop queued before the client of the next
	 * message has its reply */
	thread_set_patient();
	e = make_dice(d);
	if (e == OK)
		e = make_parts(d);
	if (e == OK)
		take_authorities(d, buf_span(&d->early));
	buf_clear(&d->early);
	if (e != OK)
		return why_set(why, e, "can't begin: %s", err_text(e));
	return OK;
}

/* The flags first: what sessions give back at their end isn't queued anew, and
 * nobody asks for a drain.  Verdicts that are not confirmed are lost with us, as
 * in a crash: queued knows whose leases they were. */
static void
on_stop(void *ctx, struct proc *p)
{
	struct deliverd *d = ctx;

	(void)p;
	d->is_draining = true;
	d->is_drained = true;
	d->queued = NULL;
	d->keyd = NULL;
	d->fetchd = NULL;
	explains_free(&d->explains);
	pool_free(&d->pool);
	jobs_free(&d->jobs);
	ask_free(&d->ask);
	sts_ask_free(&d->sts_ask);
	settings_drop(&d->settings);
	settings_drop(&d->previous);
	tls_client_free(&d->tls);
	certificates_clear(&d->certificates);
}

/* A configuration that can't be taken over for lack of memory leaves the old
 * one; leases of the new one go back untried until the next reload. */
static void
on_reload(void *ctx, struct proc *p, const struct conf *old)
{
	struct deliverd *d = ctx;
	struct settings *settings;

	(void)old;
	if (settings_new(proc_conf(p), proc_generation(p), proc_workers(p),
	    &settings) != OK) {
		if (log_begin(d->log, LOG_NO_MEMORY, NULL)) {
			log_str(d->log, "step",
			    "taking over the configuration");
			log_end(d->log);
		}
		return;
	}
	settings_drop(&d->previous);
	d->previous = d->settings;
	d->settings = settings;
	pool_reload(d->pool);
}

/* Before the start they are kept: nothing is parsed with privileges. */
static void
on_msg(void *ctx, struct proc *p, const struct msg *m, int fd)
{
	struct deliverd *d = ctx;

	(void)p;
	if (m->type == MSG_hop_socket && d->proc != NULL) {
		session_unix_answer(d, &m->hop_socket, fd);
		return;
	}
	if (fd >= 0)
		(void)close(fd);
	if (m->type != MSG_authorities)
		return;
	if (d->proc != NULL) {
		take_authorities(d, m->authorities.pem);
		return;
	}
	buf_reset(&d->early);
	buf_add_span(&d->early, m->authorities.pem);
}

/* ---- siblings ---- */

static void
on_peer(void *ctx, struct proc *p, struct channel *c)
{
	struct deliverd *d = ctx;

	(void)p;
	if (channel_peer(c)->role == ROLE_QUEUED) {
		explains_forget(d->explains);
		d->queued = c;
		jobs_present(d->jobs);
	} else if (channel_peer(c)->role == ROLE_DNSD) {
		d->dnsd = c;
		ask_set_channel(d->ask, c);
	} else if (channel_peer(c)->role == ROLE_KEYD) {
		channel_keep_secret(c);
		d->keyd = c;
		certificates_attach(&d->certificates, c);
	} else if (channel_peer(c)->role == ROLE_FETCHD) {
		d->fetchd = c;
		sts_ask_set_channel(d->sts_ask, c);
	}
}

static void
on_queued(struct deliverd *d, const struct msg *m)
{
	struct job *j;

	switch (m->type) {
	case MSG_lease:
		jobs_lease(d->jobs, &m->lease);
		break;
	case MSG_content:
		j = jobs_active(d->jobs, m->content.lease);
		if (j != NULL && j->session != NULL)
			session_content(j->session, j, &m->content);
		break;
	case MSG_route_ask:
		explains_ask(d->explains, &m->route_ask);
		break;
	case MSG_confirm:
		jobs_confirm(d->jobs, m->confirm.lease);
		break;
	case MSG_tls_record_ask:
		tls_record_ask(d, &m->tls_record_ask);
		break;
	default:
		break;
	}
}

static void
on_keyd(struct deliverd *d, const struct msg *m)
{
	if (m->type == MSG_hop_answer)
		session_auth_answer(d, &m->hop_answer);
	else if (m->type == MSG_hop_token)
		session_auth_token(d, &m->hop_token);
	else if (m->type == MSG_hop_chains)
		certificates_take(&d->certificates, d->log, &m->hop_chains);
	else if (m->type == MSG_srs_answer)
		sender_answer(d, &m->srs_answer);
}

/* No message to us carries a descriptor.  The channel has checked type and
 * direction, so what isn't known here is nothing to be done about. */
static void
on_peer_msg(void *ctx, struct proc *p, struct channel *c, const struct msg *m,
    int fd)
{
	struct deliverd *d = ctx;

	(void)p;
	if (fd >= 0)
		(void)close(fd);
	if (c == d->queued)
		on_queued(d, m);
	else if (c == d->dnsd && m->type == MSG_dns_answer)
		ask_answer(d->ask, &m->dns_answer);
	else if (c == d->keyd)
		on_keyd(d, m);
	else if (c == d->fetchd && m->type == MSG_policy_answer)
		sts_ask_answer(d->sts_ask, &m->policy_answer);
}

static void
on_peer_gone(void *ctx, struct proc *p, struct channel *c)
{
	struct deliverd *d = ctx;

	(void)p;
	if (c == d->queued) {
		d->queued = NULL;
		explains_forget(d->explains);
		deliverd_check_drained(d);
	} else if (c == d->dnsd) {
		d->dnsd = NULL;
		ask_set_channel(d->ask, NULL);
	} else if (c == d->keyd) {
		d->keyd = NULL;
		certificates_detach(&d->certificates);
		session_auth_give_up(d);
		sender_give_up(d);
	} else if (c == d->fetchd) {
		d->fetchd = NULL;
		sts_ask_set_channel(d->sts_ask, NULL);
	}
}

/* ---- end ---- */

/* Verdicts that queued hasn't confirmed are waited for as long as it is
 * there; its successor would find them in doubt. */
void
deliverd_check_drained(struct deliverd *d)
{
	if (!d->is_draining || d->is_drained ||
	    pool_sessions(d->pool) > 0)
		return;
	if (jobs_count(d->jobs) > 0 && d->queued != NULL)
		return;
	d->is_drained = true;
	proc_drained(d->proc);
}

/* May be called again, with less time; the parent sees to the time. */
static void
on_drain(void *ctx, struct proc *p, int64_t grace_ms)
{
	struct deliverd *d = ctx;

	(void)p;
	(void)grace_ms;
	d->is_draining = true;
	pool_drain(d->pool);
	deliverd_check_drained(d);
}

int
main(int argc, char **argv)
{
	static const struct proc_ops ops = {
		.role = ROLE_DELIVERD,
		.on_start = on_start,
		.on_reload = on_reload,
		.on_msg = on_msg,
		.on_peer = on_peer,
		.on_peer_msg = on_peer_msg,
		.on_peer_gone = on_peer_gone,
		.on_drain = on_drain,
		.on_stop = on_stop,
	};
	static struct deliverd d;

	buf_init(&d.early, AUTHORITIES_MAX);
	return proc_main(argc, argv, &ops, &d);
}
