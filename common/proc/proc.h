/*
 * The skeleton of every child of the parent: smtpd, queued, deliverd,
 * keyd, dnsd, fetchd.
 *
 * Descriptor 3 is the channel to the parent.  In this order: identity,
 * config, whatever on_msg takes before the start (names, client_table), then
 * `start`: privileges are dropped, on_start() is called, `ready` is sent.
 * Listeners and peers come after that, at any time.  The working directory is
 * the one that identity names (the spool for queued), and the root as well
 * when we are confined.  Signals of a terminal are ignored: a child ends by
 * the parent's `drain`, or when the parent is gone.
 *
 * Everything a proc gives (loop, log, conf) is borrowed; conf until on_reload
 * returns.
 */
#ifndef MTAD_PROC_PROC_H
#define MTAD_PROC_PROC_H

#include "common/ipc/channel.h"
#include "common/log/log.h"
#include "common/loop/loop.h"

struct conf;
struct proc;

#define PROC_PARENT_FD		3
#define PROC_LOCK_FD		4	/* the instance's lock: held till we end */
/* To drain after the parent's death: short, as no sibling that ends is replaced
 * any more, and a new parent waits for the ports. */
#define PROC_ORPHAN_GRACE_MS	1000

#define PROC_LISTENER_CONTROL	0xffff	/* mtactl's; else row of listeners */

struct proc_listener {
	uint16_t index;
	uint32_t group;			/* of mtactl's users, or ~0 */
	struct span address;		/* as text, borrowed for the call */
};

/* What is NULL is not wanted; a descriptor that came with it is closed. */
struct proc_ops {
	enum ipc_role role;

	/* Privileges are dropped, conf is there.  A failure, after which
	 * nothing may be left, ends the process with WHY in the log. */
	enum err (*on_start)(void *ctx, struct proc *p, struct why *why);

	/* proc_conf() is the new one, OLD ends with this call. */
	void (*on_reload)(void *ctx, struct proc *p, const struct conf *old);

	/* FD is given: bound, listening. */
	void (*on_listener)(void *ctx, struct proc *p,
	    const struct proc_listener *l, int fd);
	void (*on_listener_gone)(void *ctx, struct proc *p,
	    const struct proc_listener *l);

	/* A sibling appeared (channel_peer() says who): send at once if you
	 * like.  The channel is proc's; when its peer dies on_peer_gone comes
	 * after the last message and the channel is closed behind it. */
	void (*on_peer)(void *ctx, struct proc *p, struct channel *c);
	void (*on_peer_msg)(void *ctx, struct proc *p, struct channel *c,
	    const struct msg *m, int fd);
	void (*on_peer_gone)(void *ctx, struct proc *p, struct channel *c);

	/* From the parent, what proc does not handle itself; FD is given. */
	void (*on_msg)(void *ctx, struct proc *p, const struct msg *m, int fd);

	/* Finish what is in hand and call proc_drained(); at the latest
	 * GRACE_MS from now it ends anyway.  Called again with a shorter grace
	 * when the operator is in a hurry. */
	void (*on_drain)(void *ctx, struct proc *p, int64_t grace_ms);

	/* The loop has ended: free everything. */
	void (*on_stop)(void *ctx, struct proc *p);
};

/* main() of a child; returns its exit code. */
int proc_main(int argc, char **argv, const struct proc_ops *ops, void *ctx);

/* Everything is done: tells the parent, ends when it has been told. */
void proc_drained(struct proc *p);
bool proc_is_draining(const struct proc *p);

/* Logs `failed` with WHY and ends with exit code 1; the parent starts a new
 * one. */
void proc_fail(struct proc *p, const char *why);

/* inspection */
struct loop *proc_loop(const struct proc *p);
struct log *proc_log(const struct proc *p);
const struct conf *proc_conf(const struct proc *p);
uint32_t proc_generation(const struct proc *p);	/* of that conf */
struct channel *proc_parent(const struct proc *p);
enum ipc_role proc_role(const struct proc *p);
uint16_t proc_index(const struct proc *p);	/* worker number, from 0 */
uint16_t proc_workers(const struct proc *p);	/* of this role */
uint64_t proc_instance(const struct proc *p);	/* of this process, unique */

#endif
