/*
 * The life of a child process, and the channels between children.
 *
 * A struct child is a place (this role, this number); the process in it dies
 * and is replaced, and its instance number tells one process from the next.  A
 * start is: socketpair, spawn, the messages of handover_all(), then a channel
 * to each sibling.  Nothing of that waits for the child: all is written into
 * its socket, and it reads it when it has got so far.
 *
 * The end of a process is seen twice, as an end of its channel and as SIGCHLD.
 * Only SIGCHLD counts.  The other one starts a timer, for a process that
 * closed its channel and doesn't end is no use to anybody.
 *
 * Whoever dies is started again: at once the first time, then after a growing
 * wait, up to CHILD_BACK_OFF_MAX_MS, so that a process that can't live costs
 * little while the others serve.
 */
#include "mtad/child.h"

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "common/os/fd.h"
#include "common/os/spawn.h"
#include "common/proc/proc.h"
#include "mtad/dirs.h"
#include "mtad/dovecot.h"
#include "mtad/hop_socket.h"
#include "mtad/handover.h"
#include "mtad/refresh.h"
#include "mtad/reload.h"
#include "mtad/stop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define KILL_AFTER_MS	2000	/* behind the grace of a drain, or an EOF */
#define REJOIN_MS	1000	/* between two channels of the same pair */

/* ---- what a child says ---- */

/* The start is over when everybody serves. */
static void
end_boot(struct mtad *m)
{
	if (m->phase != MTAD_BOOTING)
		return;
	for (size_t i = 0; i < m->child_count; i++) {
		const struct child *c = &m->children[i];

		if (!c->is_ready && procs_is_wanted(c->row->id, m->conf))
			return;
	}
	m->phase = MTAD_SERVING;
	if (log_begin(m->log, LOG_STARTED, NULL))
		log_end(m->log);
}

/* Also the answer to a changed configuration: `generation` says which. */
static void
take_ready(struct child *c, const struct msg *msg)
{
	c->is_ready = true;
	c->generation = msg->ready.generation;
	end_boot(c->mtad);
	reload_ready(c->mtad);
}

static void
on_rejoin(void *ctx)
{
	struct child *c = ctx;
	struct mtad *m = c->mtad;

	for (size_t i = 0; i < m->child_count; i++) {
		/* by instance, for the place may have another process by
		 * now */
		const uint64_t instance = c->torn_from[i];

		c->torn_from[i] = 0;
		/* a new process there was joined at its start */
		if (instance != 0 && m->children[i].instance == instance)
			child_join(c, &m->children[i]);
	}
}

/* Both sides live on: a new channel, but not as fast as they can tear it. */
static void
rejoin_later(struct child *c, uint64_t instance)
{
	struct mtad *m = c->mtad;

	for (size_t i = 0; i < m->child_count; i++) {
		if (m->children[i].instance == instance)
			c->torn_from[i] = instance;
	}
	if (!timer_is_running(&c->rejoin))
		timer_start(&c->rejoin, REJOIN_MS);
}

/* From queued, for `mtactl log level`; it lasts until the next reload. */
static void
take_log_level(struct child *c, const struct msg *msg)
{
	struct mtad *m = c->mtad;

	if (msg->log_level.level >= LOG_LEVEL_COUNT)
		return;
	log_set_level(m->log, (enum log_level)msg->log_level.level);
	for (size_t i = 0; i < m->child_count; i++)
		child_send(&m->children[i], msg, -1);
}

/* Which messages a child may send at all, the channel has checked by the table
 * of directions.  No descriptor comes from a child; one that does is
 * closed. */
static void
on_msg(void *ctx, struct channel *channel, const struct msg *msg, int fd)
{
	struct child *c = ctx;

	(void)channel;
	fd_close(&fd);
	switch (msg->type) {
	case MSG_ready:
		take_ready(c, msg);
		break;
	case MSG_peer_lost:
		rejoin_later(c, msg->peer_lost.instance);
		break;
	case MSG_log_level:
		take_log_level(c, msg);
		break;
	case MSG_reload_ask:
		reload_asked(c->mtad, msg->reload_ask.cookie);
		break;
	case MSG_hop_socket_want:
		hop_socket_wanted(c, &msg->hop_socket_want);
		break;
	case MSG_refresh_keep:
		refresh_keep(c->mtad, &msg->refresh_keep);
		break;
	case MSG_dovecot_want:
		dovecot_wanted(c->mtad, msg->dovecot_want.is_served != 0);
		break;
	default:
		/* `drained`: its end follows */
		break;
	}
}

/* SIGCHLD brings the rest. */
static void
on_kill(void *ctx)
{
	struct child *c = ctx;
	struct mtad *m = c->mtad;

	if (c->pid == 0)
		return;
	(void)kill(c->pid, SIGKILL);
	if (log_begin(m->log, LOG_CHILD_KILLED, NULL)) {
		log_str(m->log, "child", c->row->name);
		log_u64(m->log, "pid", (uint64_t)c->pid);
		log_end(m->log);
	}
}

/* Its end follows by itself; one that talks nonsense, or talks no more, is
 * helped. */
static void
on_close(void *ctx, struct channel *channel, enum channel_end end,
    const char *why)
{
	struct child *c = ctx;
	struct mtad *m = c->mtad;

	(void)channel;
	channel_close(&c->channel);
	/* mostly it is dying, and SIGCHLD comes in a moment */
	if (end == CHANNEL_EOF) {
		if (!timer_is_running(&c->kill))
			timer_start(&c->kill, KILL_AFTER_MS);
		return;
	}
	if (log_begin(m->log, LOG_PEER_VIOLATION, NULL)) {
		log_str(m->log, "peer", c->row->name);
		log_u64(m->log, "index", c->index);
		log_str(m->log, "why", why);
		log_end(m->log);
	}
	timer_start(&c->kill, 0);
}

static const struct channel_ops channel_ops = { on_msg, on_close };

/* ---- start ---- */

static void
on_restart(void *ctx)
{
	child_start(ctx);
}

/* The child gets nothing but these three descriptors (0 and 1 are /dev/null).
 * The lock's is held, not used: see dirs.c. */
static enum err
spawn(struct child *c, int channel_end)
{
	struct mtad *m = c->mtad;
	const char *const argv[] = { c->row->name, NULL };
	const struct spawn_fd fds[] = {
		{ m->log_fd, STDERR_FILENO },
		{ channel_end, PROC_PARENT_FD },
		{ m->shared_lock_fd, PROC_LOCK_FD },
	};
	const struct spawn s = {
		/* by descriptor, so it is the binary that was there at our
		 * start */
		.program = m->programs[c->row->id],
		.argv = argv,
		.envp = m->environment,
		.fds = fds,
		.fd_count = COUNT_OF(fds),
	};

	return spawn_start(&s, &c->pid);
}

static enum err
open_channel(struct child *c, int end)
{
	static const struct channel_id self = { .role = ROLE_PARENT };
	/* it learns its index and instance from us only */
	const struct channel_id peer = { .role = c->row->role };

	return channel_new(c->mtad->loop, end, &self, &peer, &channel_ops, c,
	    &c->channel);
}

/* On failure C->pid may be set: then the process was killed, and its death
 * will bring the next attempt. */
static enum err
try_start(struct child *c)
{
	int ends[2];
	enum err e = fd_pair(ends);

	if (e != OK)
		return e;
	e = spawn(c, ends[1]);
	fd_close(&ends[1]);
	if (e == OK)
		e = open_channel(c, ends[0]);
	if (e != OK) {
		fd_close(&ends[0]);
		if (c->pid != 0)
			(void)kill(c->pid, SIGKILL);
	}
	return e;
}

/* Those that don't run yet will join with this one when they start. */
static void
join_with_all(struct child *c)
{
	struct mtad *m = c->mtad;

	for (size_t i = 0; i < m->child_count; i++) {
		if (&m->children[i] != c)
			child_join(c, &m->children[i]);
	}
}

static int64_t
next_back_off(int64_t ms)
{
	if (ms == 0)
		return CHILD_BACK_OFF_FIRST_MS;
	return mtime_min(ms * 2, CHILD_BACK_OFF_MAX_MS);
}

static void
log_started(struct child *c)
{
	struct log *log = c->mtad->log;

	if (!log_begin(log, LOG_CHILD_STARTED, NULL))
		return;
	log_str(log, "child", c->row->name);
	log_u64(log, "index", c->index);
	log_u64(log, "pid", (uint64_t)c->pid);
	log_end(log);
}

/* The instance is new for each process: whatever refers to the one before can
 * be told apart. */
static void
begin(struct child *c)
{
	struct mtad *m = c->mtad;

	MUST(c->pid == 0);
	c->instance = dirs_next_instance(m);
	c->is_ready = false;
	c->generation = 0;
	memset(c->torn_from, 0, sizeof(c->torn_from));
	c->started_at_ms = loop_now_ms(m->loop);
	c->started_wall_ms = loop_wall_ms(m->loop);
	if (try_start(c) != OK) {
		if (log_begin(m->log, LOG_FAILED, NULL)) {
			log_str(m->log, "child", c->row->name);
			log_str(m->log, "why", strerror(errno));
			log_end(m->log);
		}
		/* else SIGCHLD comes */
		if (c->pid == 0) {
			c->back_off_ms = next_back_off(c->back_off_ms);
			timer_start(&c->restart, c->back_off_ms);
		}
		return;
	}
	log_started(c);
	handover_all(c);
	join_with_all(c);
	deferred_add(&m->processes);
}

/* Also after a reload, of one that was not wanted before; one that is wanted
 * no more goes on until it dies. */
void
child_start(struct child *c)
{
	if (c->pid == 0 && !timer_is_running(&c->restart) &&
	    procs_is_wanted(c->row->id, c->mtad->conf))
		begin(c);
}

/* ---- siblings ---- */

/* The receiver makes the channel out of FD, and expects exactly this peer at
 * its other end. */
static enum err
send_peer(struct child *c, const struct child *other, int fd)
{
	struct msg msg = { .type = MSG_peer };
	int copy;
	enum err e = fd_dup(fd, &copy);

	msg.peer.role = (uint8_t)other->row->role;
	msg.peer.index = other->index;
	msg.peer.instance = other->instance;
	return e == OK ? channel_send_fd(c->channel, &msg, copy) : e;
}

void
child_join(struct child *a, struct child *b)
{
	int ends[2];
	enum err e;

	if (a->channel == NULL || b->channel == NULL ||
	    (a->row->peers & (1u << b->row->role)) == 0)
		return;
	if (fd_pair(ends) != OK) {
		rejoin_later(a, b->instance);
		return;
	}
	e = send_peer(a, b, ends[0]);
	if (e == OK)
		e = send_peer(b, a, ends[1]);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	/* whoever got its end alone takes the other one for dead */
	if (e != OK)
		rejoin_later(a, b->instance);
}

/* The channel takes the descriptor it is given, so it is given a copy. */
void
child_send(struct child *c, const struct msg *m, int fd)
{
	int copy;

	if (c->channel == NULL)
		return;
	if (fd < 0)
		(void)channel_send(c->channel, m);
	else if (fd_dup(fd, &copy) == OK)
		(void)channel_send_fd(c->channel, m, copy);
}

struct child *
child_find(struct mtad *m, enum ipc_role role, uint16_t index)
{
	for (size_t i = 0; i < m->child_count; i++) {
		struct child *c = &m->children[i];

		if (c->row->role == role && c->index == index &&
		    c->channel != NULL)
			return c;
	}
	return NULL;
}

/* ---- the end ---- */

static void
log_death(struct child *c, pid_t pid, int status, int64_t again_ms)
{
	struct log *log = c->mtad->log;

	if (!log_begin(log, LOG_CHILD_DIED, NULL))
		return;
	log_str(log, "child", c->row->name);
	log_u64(log, "index", c->index);
	log_u64(log, "pid", (uint64_t)pid);
	if (WIFSIGNALED(status))
		log_str(log, "signal", sigabbrev_np(WTERMSIG(status)));
	else
		log_u64(log, "code", (uint64_t)WEXITSTATUS(status));
	if (again_ms >= 0)
		log_ms(log, "next_start_in", again_ms);
	log_end(log);
}

/* The first death costs nothing; who dies again and again waits longer. */
static int64_t
back_off(struct child *c)
{
	const int64_t alive_ms = loop_now_ms(c->mtad->loop) - c->started_at_ms;
	int64_t wait;

	if (alive_ms >= CHILD_STEADY_MS)
		c->back_off_ms = 0;
	wait = c->back_off_ms;
	c->back_off_ms = next_back_off(wait);
	return wait;
}

/* WAS_READY: it served before it died. */
static void
start_again(struct child *c, pid_t pid, bool was_ready, int status)
{
	struct mtad *m = c->mtad;
	int64_t wait;

	/* what cannot even begin will not do better a second time */
	/* only one that ended by itself: a kill in the first second is no
	 * verdict */
	if (m->phase == MTAD_BOOTING && !was_ready && WIFEXITED(status)) {
		log_death(c, pid, status, -1);
		stop_failed(m);
		return;
	}
	wait = back_off(c);
	log_death(c, pid, status, wait);
	c->restarts++;
	timer_start(&c->restart, wait);
}

/* As asked, and content with it. */
static bool
is_regular(const struct child *c, int status)
{
	return c->is_draining && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The order matters: the last messages are read before the channel goes, the
 * place is empty before anybody is told, and the connections that a dead smtpd
 * had counted are forgotten before its successor counts its own. */
static void
on_death(struct child *c, int status)
{
	struct mtad *m = c->mtad;
	const pid_t pid = c->pid;
	const bool was_ready = c->is_ready;

	/* its last words */
	if (c->channel != NULL)
		channel_drain_input(c->channel);
	channel_close(&c->channel);
	timer_stop(&c->kill);
	timer_stop(&c->rejoin);
	c->pid = 0;
	c->is_ready = false;
	if (c->row->id == PROC_SMTPD)
		client_table_forget(m->clients, c->index);
	if (m->phase != MTAD_STOPPING)
		start_again(c, pid, was_ready, status);
	else if (!is_regular(c, status))
		log_death(c, pid, status, -1);
	deferred_add(&m->processes);
	/* a reload may have waited for this one */
	reload_ready(m);
	if (m->phase == MTAD_STOPPING)
		stop_next(m);
}

/* A pid that is none of ours was left by whoever executed us. */
void
child_reap(struct mtad *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < m->child_count; i++) {
			if (m->children[i].pid == pid)
				on_death(&m->children[i], status);
		}
	}
}

/* May be called again, to hurry: the shorter time replaces the longer. */
void
child_drain(struct child *c, int64_t grace_ms)
{
	struct msg msg = { .type = MSG_drain };

	c->is_draining = true;
	timer_stop(&c->restart);
	if (c->pid == 0)
		return;
	msg.drain.grace_ms = (uint32_t)mtime_min(grace_ms, UINT32_MAX);
	child_send(c, &msg, -1);
	timer_start(&c->kill, mtime_add(grace_ms, KILL_AFTER_MS));
}

/* ---- all of them ---- */

/* The count goes up last, so that child_free_all() meets whole places only. */
static enum err
make(struct mtad *m, const struct proc_row *row, uint16_t index)
{
	struct child *c = &m->children[m->child_count];
	enum err e;

	MUST(m->child_count < MTAD_CHILDREN_MAX);
	*c = (struct child){ .mtad = m, .row = row, .index = index };
	e = timer_init(&c->restart, m->loop, on_restart, c);
	if (e == OK)
		e = timer_init(&c->kill, m->loop, on_kill, c);
	if (e == OK)
		e = timer_init(&c->rejoin, m->loop, on_rejoin, c);
	if (e == OK)
		m->child_count++;
	return e;
}

enum err
child_make_all(struct mtad *m)
{
	enum err e = OK;

	for (size_t i = 0; i < PROC_COUNT; i++) {
		const uint16_t workers = procs_workers((enum proc_id)i,
		    m->conf);

		for (uint16_t k = 0; k < workers && e == OK; k++)
			e = make(m, &procs[i], k);
	}
	return e;
}

/* Only called when no child runs, or when the loop could not be made. */
void
child_free_all(struct mtad *m)
{
	for (size_t i = 0; i < m->child_count; i++) {
		struct child *c = &m->children[i];

		channel_close(&c->channel);
		timer_clear(&c->restart);
		timer_clear(&c->kill);
		timer_clear(&c->rejoin);
	}
}
