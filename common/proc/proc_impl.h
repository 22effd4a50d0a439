/*
 * The inside of a proc: its life (proc.c), what the parent says
 * (proc_parent.c) and its siblings (proc_peers.c).
 */
#ifndef MTAD_PROC_PROC_IMPL_H
#define MTAD_PROC_PROC_IMPL_H

#include "common/base/list.h"
#include "common/loop/deferred.h"
#include "common/loop/timer.h"
#include "common/os/sandbox.h"
#include "common/proc/proc.h"

struct proc {
	const struct proc_ops *ops;
	void *ctx;
	struct loop *loop;
	struct log *log;
	struct channel *parent;
	struct list peers;		/* struct proc_peer */

	struct channel_id self;
	struct sandbox sandbox;
	char *root;			/* what sandbox.root points to */
	uint16_t workers;
	struct conf *conf;
	uint32_t generation;

	bool is_started;
	bool is_draining;
	int exit_code;
	struct timer deadline;		/* of draining */
	struct deferred log_flush;
	struct timer log_retry;
};

/* proc_parent.c */
extern const struct channel_ops proc_parent_ops;

/* proc.c: begins to drain, or hurries */
void proc_drain(struct proc *p, int64_t grace_ms);

/* proc_peers.c */
void proc_add_peer(struct proc *p, const struct channel_id *id, int fd);
void proc_flush_peers(struct proc *p);
void proc_free_peers(struct proc *p);

#endif
