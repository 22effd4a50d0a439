/*
 * main() of a child.  It opens what it needs without any configuration (log,
 * loop, channel to the parent) and then does what the parent says
 * (proc_parent.c): there is no other source of orders, no command line, no
 * signal, no file.
 *
 * It ends in one of three ways: drained, as the parent asked; failed, after
 * proc_fail(), and then the parent starts another one; or orphaned, when it
 * finishes what is in hand and goes.
 */
#include "common/proc/proc.h"

#include "common/conf/conf.h"
#include "common/os/fd.h"
#include "common/os/signals.h"
#include "common/proc/proc_impl.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define LOG_RETRY_MS	20

/* ---- the log, written once a turn ---- */

/* The log's reader can't take it yet: it is tried again, since the loop can't
 * wait for every kind of file. */
static void
on_log_flush(void *ctx)
{
	struct proc *p = ctx;

	if (!log_flush(p->log))
		timer_start(&p->log_retry, LOG_RETRY_MS);
}

static void
on_log_line(void *ctx)
{
	struct proc *p = ctx;

	deferred_add(&p->log_flush);
}

/* ---- the end ---- */

/* Who has not finished by now is ended as if it had: the parent would kill it
 * soon. */
static void
on_deadline(void *ctx)
{
	struct proc *p = ctx;

	loop_stop(p->loop);
}

/* Before the start there is nothing to finish.  A second call with a shorter
 * grace moves the deadline. */
void
proc_drain(struct proc *p, int64_t grace_ms)
{
	p->is_draining = true;
	if (!p->is_started || p->ops->on_drain == NULL) {
		proc_drained(p);
		return;
	}
	/* before on_drain, which may be done at once */
	timer_start(&p->deadline, grace_ms);
	p->ops->on_drain(p->ctx, p, grace_ms);
}

/* What was said to siblings must reach them: their answers to their clients
 * depend on it.  After this the process says nothing more. */
void
proc_drained(struct proc *p)
{
	const struct msg m = { .type = MSG_drained };

	proc_flush_peers(p);
	if (channel_send(p->parent, &m) == OK)
		channel_flush(p->parent);
	loop_stop(p->loop);
}

/* The loop still runs to the end of its turn; callers return at once. */
void
proc_fail(struct proc *p, const char *why)
{
	p->exit_code = EXIT_FAILURE;
	if (log_begin(p->log, LOG_FAILED, NULL)) {
		log_str(p->log, "why", why);
		log_end(p->log);
	}
	loop_stop(p->loop);
}

/* ---- life ---- */

/* A ^C at a terminal reaches the whole process group, but only the parent
 * decides in which order we end.  A peer that is gone shows in the write. */
static void
ignore_signals(void)
{
	static const int ignored[] = {
		SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2,
		SIGTSTP,
	};

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signals_ignore(ignored[i]);
}

/* The log goes to standard error, which the parent chose. */
static enum err
open_parts(struct proc *p, const char *name)
{
	static const struct channel_id parent = { .role = ROLE_PARENT };
	enum err e = log_new(name, STDERR_FILENO, &p->log);

	if (e == OK)
		e = loop_new(&p->loop);
	if (e != OK)
		return e;
	deferred_init(&p->log_flush, p->loop, DEFERRED_LAST, on_log_flush, p);
	log_set_notify(p->log, on_log_line, p);
	e = timer_init(&p->log_retry, p->loop, on_log_flush, p);
	if (e == OK)
		e = timer_init(&p->deadline, p->loop, on_deadline, p);
	if (e == OK)
		e = channel_new(p->loop, PROC_PARENT_FD, &p->self, &parent,
		    &proc_parent_ops, p, &p->parent);
	return e;
}

/* Also what open_parts() made only half of.  Channels go before their loop, and
 * the log after all that may write to it. */
static void
free_parts(struct proc *p)
{
	proc_free_peers(p);
	channel_close(&p->parent);
	timer_clear(&p->deadline);
	timer_clear(&p->log_retry);
	deferred_clear(&p->log_flush);
	loop_free(&p->loop);
	log_free(&p->log);
	conf_free(&p->conf);
	free(p->root);
}

static void
log_plain(struct proc *p, enum log_id id)
{
	if (log_begin(p->log, id, NULL))
		log_end(p->log);
}

/* on_stop() is owed only after an on_start() that succeeded. */
static void
run(struct proc *p)
{
	loop_run(p->loop);
	if (p->is_started && p->ops->on_stop != NULL)
		p->ops->on_stop(p->ctx, p);
	if (p->exit_code == EXIT_SUCCESS)
		log_plain(p, LOG_STOPPED);
}

/* Started by hand there is no parent to ask. */
static bool
has_parent(const char *name)
{
	if (fcntl(PROC_PARENT_FD, F_GETFD) >= 0)
		return true;
	(void)fprintf(stderr, "%s: is started by mtad, not by hand\n", name);
	return false;
}

int
proc_main(int argc, char **argv, const struct proc_ops *ops, void *ctx)
{
	const char *name = ipc_role_name(ops->role);
	struct proc p = { .ops = ops, .ctx = ctx, .self.role = ops->role };

	(void)argc;
	(void)argv;
	if (!has_parent(name))
		return 2;
	ignore_signals();
	/* started from a descriptor, the kernel's name for us is its number */
	(void)prctl(PR_SET_NAME, name);
	list_init(&p.peers);
	if (open_parts(&p, name) == OK) {
		run(&p);
	} else {
		(void)fprintf(stderr, "%s: cannot begin: no memory\n", name);
		p.exit_code = EXIT_FAILURE;
	}
	free_parts(&p);
	return p.exit_code;
}

/* ---- inspection ---- */

bool
proc_is_draining(const struct proc *p)
{
	return p->is_draining;
}

struct loop *
proc_loop(const struct proc *p)
{
	return p->loop;
}

struct log *
proc_log(const struct proc *p)
{
	return p->log;
}

const struct conf *
proc_conf(const struct proc *p)
{
	return p->conf;
}

uint32_t
proc_generation(const struct proc *p)
{
	return p->generation;
}

struct channel *
proc_parent(const struct proc *p)
{
	return p->parent;
}

enum ipc_role
proc_role(const struct proc *p)
{
	return p->self.role;
}

uint16_t
proc_index(const struct proc *p)
{
	return p->self.index;
}

uint16_t
proc_workers(const struct proc *p)
{
	return p->workers;
}

uint64_t
proc_instance(const struct proc *p)
{
	return p->self.instance;
}
