/*
 * A lease in hand: one message for some recipients, its content (or a part of
 * it at a time), and what was tried for it.
 *
 * All bytes of the lease lie in one block, which is used again for the next.
 */
#ifndef MTAD_DELIVERD_JOB_H
#define MTAD_DELIVERD_JOB_H

#include "common/base/list.h"
#include "common/ipc/messages.h"
#include "common/route/route_table.h"
#include "deliverd/engine/tx_mail.h"

#define JOB_RCPTS_MAX	1000	/* of one lease, as in messages.def */
#define JOB_ATTEMPTS_MAX 64
#define JOB_RETURNS_MAX	3	/* times untried, before it is deferred */
#define JOB_NO_ATTEMPT	0xff

struct session;
struct settings;

enum job_state {
	JOB_WAITING,		/* in the queue of its destination */
	JOB_ACTIVE,		/* in a dialogue */
	JOB_TOLD,		/* its verdict is sent, not confirmed */
};

struct job {
	struct list all;	/* jobs, or the spare ones */
	struct list node;	/* of the destination's queue */
	enum job_state state;
	uint64_t lease;
	uint64_t id;
	uint32_t unit;
	struct settings *settings;
	struct route route;	/* borrowed from settings */
	struct session *session;	/* while ACTIVE */
	struct tx_mail mail;
	struct buf sender;	/* rewritten; else empty */
	int64_t by_at;		/* wall ms, of mail.by */
	uint8_t *attempt_of;	/* of each recipient; JOB_NO_ATTEMPT */
	struct span destination;
	struct span rows;	/* queued's own */
	struct span content;	/* all of it, or empty: ask */
	bool is_inline;
	uint64_t content_at;	/* octets given to the dialogue */
	uint64_t asked_to;	/* content is asked for up to here */
	struct buf attempts;	/* records of the verdict */
	uint32_t n_attempts;
	uint8_t scope;		/* enum verdict_scope */
	unsigned returns;
	uint64_t begun_at;	/* wall, of the present attempt */
	int64_t begun_at_ms;	/* monotonic */
	int64_t told_at_ms;	/* when TOLD, the last time */
	uint8_t *block;
	size_t block_size;
};

struct job *job_new(void);
void job_free(struct job **j);

/* Copies the lease.  SETTINGS is used.  ERR_NOMEM, ERR_SYNTAX (no recipients,
 * or no envelope), ERR_NOT_FOUND (no such route).  J is reusable then. */
enum err job_load(struct job *j, const struct msg_lease *m,
    struct settings *settings);

/* Lets settings and large memory go, for the next load. */
void job_unload(struct job *j);

/* Notes that a host was tried; TEXT is cut.  Gives the row for results, or
 * JOB_NO_ATTEMPT when there are too many. */
uint8_t job_add_attempt(struct job *j, const struct msg_attempt *a);

/* The recipients that were settled since the last call belong to ROW. */
void job_mark_settled(struct job *j, uint8_t row);

/* The first recipient's domain: by MX, all have the same. */
struct span job_domain(const struct job *j);

#endif
