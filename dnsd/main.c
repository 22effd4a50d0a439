/*
 * dnsd: resolves names for its siblings; the one process that meets the DNS.
 *
 * It can open no file, so the parent reads resolv.conf and hosts and sends
 * their contents by `names`, before the start and after each change (I-07).
 * All of the work is resolve.c's; here is what ties it to the skeleton of a
 * child.
 */
#include <stdlib.h>
#include <unistd.h>

#include "common/conf/conf.h"
#include "common/ipc/channel.h"
#include "common/log/log.h"
#include "common/proc/proc.h"
#include "dnsd/resolve.h"
#include "dnsd/selftest.h"

/* room for what the parent may send, docs/IPC.md */
#define SERVERS_BYTES	4096
#define HOSTS_BYTES	((size_t)256 * 1024)

struct dnsd {
	struct proc *proc;
	struct resolve *resolve;
	struct buf hosts;		/* as the parent told */
	struct buf servers;
	bool is_trust_ad;		/* of these */
	struct selftest *selftest;
};

/* ---- what to ask, and whom ---- */

/* Those of the configuration, else those of resolv.conf, else what resolv.conf
 * means when it names none. */
static void
choose_servers(const struct dnsd *d, const struct conf *conf,
    struct buf *out)
{
	char text[ENDPOINT_TEXT_SIZE];

	for (size_t i = 0; i < conf->dns.servers.n; i++) {
		if (i > 0)
			buf_add_byte(out, ',');
		(void)endpoint_format(&conf->dns.servers.v[i], text);
		buf_add_str(out, text);
	}
	if (out->n == 0)
		buf_add_span(out, buf_span(&d->servers));
	if (out->n == 0)
		buf_add_str(out, "127.0.0.1:53");
}

/* The AD bit counts when nobody on the way could have set it: when the
 * resolver is on this host, or resolv.conf says so of those that it names. */
static bool
are_local(struct span servers)
{
	while (servers.n > 0) {
		size_t end = span_find(servers, ',');
		struct endpoint at;

		if (endpoint_parse(span_sub(servers, 0, end), 53, &at) != OK ||
		    !ipaddr_is_loopback(&at.addr))
			return false;
		servers = span_from(servers, end + 1);
	}
	return true;
}

/* The NUL is for c-ares, which takes a string. */
static enum err
set_up(struct dnsd *d)
{
	const struct conf *conf = proc_conf(d->proc);
	struct resolve_setup setup = {
		.hosts = buf_span(&d->hosts),
		.timeout_ms = conf->dns.timeout_ms,
	};
	struct buf servers;
	enum err e = ERR_NOMEM;

	buf_init(&servers, 2 * SERVERS_BYTES);
	choose_servers(d, conf, &servers);
	setup.is_trusted = are_local(buf_span(&servers)) ||
	    (conf->dns.servers.n == 0 && d->is_trust_ad);
	buf_add_byte(&servers, '\0');
	if (!buf_failed(&servers)) {
		setup.servers = (const char *)servers.p;
		e = resolve_set(d->resolve, &setup);
	}
	if (e == OK)
		selftest_begin(d->selftest, setup.is_trusted);
	buf_clear(&servers);
	return e;
}

/* On a failure what was before stays in use. */
static void
set_up_anew(struct dnsd *d)
{
	struct log *log = proc_log(d->proc);
	enum err e = set_up(d);

	if (e == OK || !log_begin(log, LOG_NO_MEMORY, NULL))
		return;
	log_str(log, "step", "taking over the name servers");
	log_str(log, "reason", err_text(e));
	log_end(log);
}

/* ---- the skeleton's calls ---- */

/* On a failure the channel is ending or memory is out: nobody can be told. */
static void
tell(void *ctx, void *asker, const struct msg_dns_answer *answer)
{
	struct msg m = { .type = MSG_dns_answer };
	struct dnsd *d = ctx;

	if (asker == d->selftest) {
		selftest_answer(d->selftest, answer);
		return;
	}
	m.dns_answer = *answer;
	(void)channel_send(asker, &m);
}

static enum err
on_start(void *ctx, struct proc *p, struct why *why)
{
	struct dnsd *d = ctx;
	enum err e;

	d->proc = p;
	e = resolve_new(proc_loop(p), proc_log(p), tell, d, &d->resolve);
	if (e == OK)
		e = selftest_new(proc_loop(p), proc_log(p), d->resolve,
		    &d->selftest);
	if (e == OK)
		e = set_up(d);
	if (e != OK)
		return why_set(why, e, "can't begin to resolve: %s",
		    err_text(e));
	return OK;
}

static void
on_reload(void *ctx, struct proc *p, const struct conf *old)
{
	(void)p;
	(void)old;
	set_up_anew(ctx);
}

/* `names` comes before the start, and again when files have changed. */
static void
on_msg(void *ctx, struct proc *p, const struct msg *m, int fd)
{
	struct dnsd *d = ctx;

	(void)p;
	if (fd >= 0)
		(void)close(fd);
	if (m->type != MSG_names)
		return;
	buf_reset(&d->hosts);
	buf_add_span(&d->hosts, m->names.hosts);
	buf_reset(&d->servers);
	buf_add_span(&d->servers, m->names.servers);
	d->is_trust_ad = m->names.is_trusted;
	if (d->resolve != NULL)
		set_up_anew(d);
}

/* A descriptor has no place in any message of siblings. */
static void
on_peer_msg(void *ctx, struct proc *p, struct channel *c, const struct msg *m,
    int fd)
{
	struct dnsd *d = ctx;

	(void)p;
	if (fd >= 0)
		(void)close(fd);
	if (m->type == MSG_dns_ask)
		resolve_ask(d->resolve, c, &m->dns_ask);
}

/* Its questions go on for others, or for the cache. */
static void
on_peer_gone(void *ctx, struct proc *p, struct channel *c)
{
	struct dnsd *d = ctx;

	(void)p;
	resolve_forget(d->resolve, c);
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
	struct dnsd *d = ctx;

	(void)p;
	selftest_free(&d->selftest);
	resolve_free(&d->resolve);
	buf_clear(&d->hosts);
	buf_clear(&d->servers);
}

int
main(int argc, char **argv)
{
	static const struct proc_ops ops = {
		.role = ROLE_DNSD,
		.on_start = on_start,
		.on_reload = on_reload,
		.on_msg = on_msg,
		.on_peer_msg = on_peer_msg,
		.on_peer_gone = on_peer_gone,
		.on_drain = on_drain,
		.on_stop = on_stop,
	};
	static struct dnsd d;

	buf_init(&d.hosts, HOSTS_BYTES);
	buf_init(&d.servers, SERVERS_BYTES);
	return proc_main(argc, argv, &ops, &d);
}
