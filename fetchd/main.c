/*
 * fetchd: fetches by HTTPS what its siblings need; the one process that speaks
 * it, and the one place of libcurl.
 *
 * It can open no file: the authorities that it believes come from the parent,
 * before the start and at each reload (I-07), names are asked of dnsd.  Here
 * is what ties its parts to the skeleton of a child.
 */
#include <stdlib.h>
#include <unistd.h>

#include "common/conf/conf.h"
#include "common/ipc/ask.h"
#include "common/ipc/channel.h"
#include "common/log/log.h"
#include "common/os/random.h"
#include "common/proc/own.h"
#include "common/proc/proc.h"
#include "fetchd/fetch.h"
#include "fetchd/heap.h"
#include "fetchd/policies.h"
#include "fetchd/tokens.h"

#define AUTHORITIES_MAX	((size_t)2 * 1024 * 1024)	/* as in messages.def */
#define SMTP_PORT	25	/* another one means a laboratory */

struct fetchd {
	struct proc *proc;
	struct channel *queued;		/* NULL while it is away */
	struct channel *dnsd;
	struct channel *keyd;
	struct siphash_key seed;
	struct ask *ask;
	struct fetch *fetch;
	struct policies *policies;
	struct tokens *tokens;
	struct buf early;		/* authorities, before the start */
};

/* ---- configuration ---- */

/* decisions/0004: a port of its own means a world of its own. */
static enum err
set_up(struct fetchd *d)
{
	const struct conf *conf = proc_conf(d->proc);
	enum conf_family family = conf->deliver.address_family;
	struct fetch_setup setup = {
		.may_loopback = conf->deliver.port != SMTP_PORT,
		.has_ipv4 = family != CONF_FAMILY_IPV6,
		.has_ipv6 = family != CONF_FAMILY_IPV4 && own_has_ipv6(),
		.dns_ms = conf->dns.timeout_ms,
	};
	struct endpoint *own;
	enum err e = own_endpoints(&conf->listeners, &own, &setup.n_own);

	if (e != OK)
		return e;
	setup.own = own;
	policies_set_port(d->policies, (uint16_t)conf->deliver.sts_port);
	e = fetch_set_up(d->fetch, &setup);
	free(own);
	return e;
}

static void
log_no_memory(struct fetchd *d, const char *step)
{
	struct log *log = proc_log(d->proc);

	if (!log_begin(log, LOG_NO_MEMORY, NULL))
		return;
	log_str(log, "step", step);
	log_end(log);
}

/* ---- the skeleton's calls ---- */

static enum err
make_parts(struct fetchd *d)
{
	struct loop *loop = proc_loop(d->proc);
	struct policies_parts parts = {
		.loop = loop, .log = proc_log(d->proc), .seed = &d->seed,
	};
	enum err e = random_key(&d->seed);

	if (e == OK)
		e = ask_new(loop, &d->seed, &d->ask);
	if (e == OK)
		e = fetch_new(loop, d->ask, &d->fetch);
	parts.ask = d->ask;
	parts.fetch = d->fetch;
	if (e == OK)
		e = policies_new(&parts, &d->policies);
	if (e == OK)
		e = tokens_new(d->fetch, &d->tokens);
	if (e == OK)
		e = set_up(d);
	if (e == OK)
		e = fetch_set_authorities(d->fetch, buf_span(&d->early));
	return e;
}

static void
free_parts(struct fetchd *d)
{
	tokens_free(&d->tokens);
	policies_free(&d->policies);
	fetch_free(&d->fetch);
	ask_free(&d->ask);
}

static enum err
on_start(void *ctx, struct proc *p, struct why *why)
{
	struct fetchd *d = ctx;
	enum err e;

	d->proc = p;
	e = make_parts(d);
	buf_clear(&d->early);
	if (e != OK) {
		free_parts(d);
		return why_set(why, e, "can't begin to fetch: %s",
		    err_text(e));
	}
	return OK;
}

static void
on_reload(void *ctx, struct proc *p, const struct conf *old)
{
	struct fetchd *d = ctx;

	(void)p;
	(void)old;
	if (set_up(d) != OK)
		log_no_memory(d, "taking over the configuration");
}

/* Before the start they are kept: nothing is parsed with privileges. */
static void
on_msg(void *ctx, struct proc *p, const struct msg *m, int fd)
{
	struct fetchd *d = ctx;

	(void)p;
	if (fd >= 0)
		(void)close(fd);
	if (m->type != MSG_authorities)
		return;
	if (d->fetch == NULL) {
		buf_reset(&d->early);
		buf_add_span(&d->early, m->authorities.pem);
	} else if (fetch_set_authorities(d->fetch, m->authorities.pem) != OK) {
		log_no_memory(d, "taking over the authorities");
	}
}

static void
on_peer(void *ctx, struct proc *p, struct channel *c)
{
	struct fetchd *d = ctx;

	(void)p;
	if (channel_peer(c)->role == ROLE_DNSD) {
		d->dnsd = c;
		ask_set_channel(d->ask, c);
	} else if (channel_peer(c)->role == ROLE_QUEUED) {
		d->queued = c;
		policies_set_queued(d->policies, c);
	} else if (channel_peer(c)->role == ROLE_KEYD) {
		d->keyd = c;
		tokens_set_keyd(d->tokens, c);
	}
}

static void
on_queued(struct fetchd *d, const struct msg *m)
{
	if (m->type == MSG_policy_kept)
		policies_restore(d->policies, m->policy_kept.record);
	else if (m->type == MSG_policies_told)
		policies_restored(d->policies);
	else if (m->type == MSG_policy_forget)
		policies_forget_domain(d->policies, m->policy_forget.domain);
}

/* A descriptor has no place in any message of siblings. */
static void
on_peer_msg(void *ctx, struct proc *p, struct channel *c, const struct msg *m,
    int fd)
{
	struct fetchd *d = ctx;

	(void)p;
	if (fd >= 0)
		(void)close(fd);
	if (c == d->dnsd && m->type == MSG_dns_answer)
		ask_answer(d->ask, &m->dns_answer);
	else if (c == d->queued)
		on_queued(d, m);
	else if (c == d->keyd && m->type == MSG_token_fetch)
		tokens_ask(d->tokens, &m->token_fetch);
	else if (m->type == MSG_policy_ask)
		policies_ask(d->policies, c, &m->policy_ask);
}

static void
on_peer_gone(void *ctx, struct proc *p, struct channel *c)
{
	struct fetchd *d = ctx;

	(void)p;
	if (c == d->dnsd) {
		d->dnsd = NULL;
		ask_set_channel(d->ask, NULL);
	} else if (c == d->keyd) {
		d->keyd = NULL;
		tokens_set_keyd(d->tokens, NULL);
	} else if (c == d->queued) {
		d->queued = NULL;
		policies_set_queued(d->policies, NULL);
	} else {
		policies_forget(d->policies, c);
	}
}

/* Who still wants an answer asks our successor. */
static void
on_drain(void *ctx, struct proc *p, int64_t grace_ms)
{
	(void)ctx;
	(void)grace_ms;
	proc_drained(p);
}

static void
on_stop(void *ctx, struct proc *p)
{
	(void)p;
	free_parts(ctx);
}

int
main(int argc, char **argv)
{
	static const struct proc_ops ops = {
		.role = ROLE_FETCHD,
		.on_start = on_start,
		.on_reload = on_reload,
		.on_msg = on_msg,
		.on_peer = on_peer,
		.on_peer_msg = on_peer_msg,
		.on_peer_gone = on_peer_gone,
		.on_drain = on_drain,
		.on_stop = on_stop,
	};
	static struct fetchd d;

	/* a libcurl whose companions came first to OpenSSL works as well */
	(void)heap_cover_openssl();
	buf_init(&d.early, AUTHORITIES_MAX);
	return proc_main(argc, argv, &ops, &d);
}
