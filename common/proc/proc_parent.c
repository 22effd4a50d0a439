/*
 * What the parent says, and how a child becomes what it is.
 *
 * The order is the parent's: identity, config, what the daemon needs besides,
 * start.  Messages out of order are harmless: `start` without the others
 * fails, and a second identity is refused.  With `start` all privileges go,
 * before any code of the daemon runs that could meet foreign bytes.
 */
#include "common/conf/conf_wire.h"
#include "common/os/fd.h"
#include "common/proc/proc_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* The two rooms don't know of each other; the numbers travel as they are. */
_Static_assert((int)CONF_LEVEL_ERROR == (int)LOG_LEVEL_ERROR &&
    (int)CONF_LEVEL_DEBUG == (int)LOG_LEVEL_DEBUG, "levels differ");
_Static_assert((int)CONF_FORMAT_TEXT == (int)LOG_TEXT &&
    (int)CONF_FORMAT_POSTFIX == (int)LOG_POSTFIX, "formats differ");

/* After the start and after each reload: the parent counts on it. */
static void
tell_ready(struct proc *p)
{
	const struct msg m = {
		.type = MSG_ready, .ready = { p->generation },
	};

	if (channel_send(p->parent, &m) != OK)
		proc_fail(p, "cannot tell the parent that we are ready");
}

/* The directory is kept as a copy, for the sandbox only borrows it. */
static void
take_identity(struct proc *p, const struct msg *m, int fd)
{
	const struct msg_identity *identity = &m->identity;
	char *root = strndup((const char *)identity->root.p,
	    identity->root.n);

	fd_close(&fd);
	if (root == NULL || p->is_started) {
		free(root);
		proc_fail(p, "cannot take an identity");
		return;
	}
	/* a second one before the start replaces the first */
	free(p->root);
	p->root = root;
	p->sandbox = (struct sandbox){
		.is_root = identity->is_root != 0,
		.root = root,
		.user = { identity->uid, identity->gid },
	};
	p->self.index = identity->index;
	p->self.instance = identity->instance;
	p->workers = identity->workers;
}

/* A level that was set by `mtactl log level` ends with the next reload. */
static void
apply_log_settings(struct proc *p)
{
	log_set_level(p->log, (enum log_level)p->conf->log.level);
	log_set_format(p->log, (enum log_format)p->conf->log.format);
	log_set_host(p->log, span_str(p->conf->hostname));
}

/* A reload that cannot be taken leaves the old configuration in force; at the
 * start there is none. */
static void
take_config(struct proc *p, const struct msg *m, int fd)
{
	struct conf *old = p->conf;
	struct conf *conf;

	fd_close(&fd);
	if (conf_wire_decode(m->config.conf, &conf) != OK) {
		if (old == NULL)
			proc_fail(p, "the configuration cannot be taken over");
		else if (log_begin(p->log, LOG_NO_MEMORY, NULL)) {
			log_str(p->log, "step", "taking over a configuration");
			log_end(p->log);
		}
		return;
	}
	p->conf = conf;
	p->generation = m->config.generation;
	apply_log_settings(p);
	if (p->is_started) {
		/* both configurations are there while the daemon changes
		 * over */
		if (p->ops->on_reload != NULL)
			p->ops->on_reload(p->ctx, p, old);
		tell_ready(p);
	}
	conf_free(&old);
}

/* From here on nothing of the system is ours but what was handed over. */
static enum err
confine(struct proc *p, struct why *why)
{
	/* the zone's file is out of reach later */
	tzset();
	if (chdir(p->root) != 0)
		return why_set(why, ERR_IO, "chdir %s: %s", p->root,
		    strerror(errno));
	return sandbox_enter(&p->sandbox, why);
}

static void
take_start(struct proc *p, const struct msg *m, int fd)
{
	struct why why = { "not all was handed over" };
	enum err e = ERR_PEER;

	(void)m;
	fd_close(&fd);
	if (p->root != NULL && p->conf != NULL && !p->is_started)
		e = confine(p, &why);
	if (e == OK && p->ops->on_start != NULL)
		e = p->ops->on_start(p->ctx, p, &why);
	if (e != OK) {
		proc_fail(p, why.text);
		return;
	}
	p->is_started = true;
	tell_ready(p);
	if (log_begin(p->log, LOG_STARTED, NULL))
		log_end(p->log);
}

/* A socket before the start, or one that this daemon doesn't want, is closed:
 * a listening socket that nobody accepts from would swallow connections. */
static void
take_listener(struct proc *p, const struct msg *m, int fd)
{
	const struct proc_listener l = {
		m->listener.index, m->listener.group, m->listener.address,
	};

	if (fd >= 0 && p->is_started && p->ops->on_listener != NULL)
		p->ops->on_listener(p->ctx, p, &l, fd);
	else
		fd_close(&fd);
}

static void
take_listener_gone(struct proc *p, const struct msg *m, int fd)
{
	const struct proc_listener l = {
		m->listener_gone.index, UINT32_MAX, m->listener_gone.address,
	};

	fd_close(&fd);
	if (p->is_started && p->ops->on_listener_gone != NULL)
		p->ops->on_listener_gone(p->ctx, p, &l);
}

/* The hello must then show that it is this one. */
static void
take_peer(struct proc *p, const struct msg *m, int fd)
{
	const struct channel_id id = {
		(enum ipc_role)m->peer.role, m->peer.index, m->peer.instance,
	};

	if (fd >= 0 && p->is_started && m->peer.role < ROLE_COUNT)
		proc_add_peer(p, &id, fd);
	else
		fd_close(&fd);
}

/* The old file is let go of by whoever has it as standard error. */
static void
take_log_file(struct proc *p, const struct msg *m, int fd)
{
	(void)m;
	/* lines so far belong into the old file */
	(void)log_flush(p->log);
	if (fd >= 0 && fd_dup_to(fd, STDERR_FILENO) == OK)
		log_set_fd(p->log, STDERR_FILENO);
	fd_close(&fd);
}

static void
take_log_level(struct proc *p, const struct msg *m, int fd)
{
	fd_close(&fd);
	if (m->log_level.level < LOG_LEVEL_COUNT)
		log_set_level(p->log, (enum log_level)m->log_level.level);
}

static void
take_drain(struct proc *p, const struct msg *m, int fd)
{
	fd_close(&fd);
	proc_drain(p, m->drain.grace_ms);
}

/* A table, so that a message without a row goes to the daemon. */
static void
on_msg(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	static void (*const takers[MSG_NUMBER_MAX + 1])(struct proc *p,
	    const struct msg *m, int fd) = {
		[MSG_identity] = take_identity,
		[MSG_config] = take_config,
		[MSG_start] = take_start,
		[MSG_listener] = take_listener,
		[MSG_listener_gone] = take_listener_gone,
		[MSG_peer] = take_peer,
		[MSG_log_file] = take_log_file,
		[MSG_log_level] = take_log_level,
		[MSG_drain] = take_drain,
	};
	struct proc *p = ctx;

	(void)c;
	if (takers[m->type] != NULL)
		takers[m->type](p, m, fd);
	else if (p->ops->on_msg != NULL)
		p->ops->on_msg(p->ctx, p, m, fd);
	else
		fd_close(&fd);
}

/* Without a parent nobody would start us again: finish and end. */
static void
on_close(void *ctx, struct channel *c, enum channel_end end, const char *why)
{
	struct proc *p = ctx;

	(void)c;
	/* never a reason to go on: without the parent's word nothing is
	 * sure */
	if (end != CHANNEL_EOF) {
		proc_fail(p, why);
		return;
	}
	if (log_begin(p->log, LOG_STOPPING, NULL)) {
		log_str(p->log, "why", "the parent is gone");
		log_end(p->log);
	}
	proc_drain(p, PROC_ORPHAN_GRACE_MS);
}

const struct channel_ops proc_parent_ops = { on_msg, on_close };
