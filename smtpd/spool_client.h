/*
 * Hands messages over to queued, exactly once, whoever dies meanwhile.
 *
 * Each message is a job with a token that no other message ever has.  A job
 * that was sent is settled by `submitted`; when queued died in between, the
 * next queued is asked for the token.  A body that fits goes with the
 * submission and is sent again when its token is unknown; a larger one goes
 * before it in pieces, within the credit that queued gives for it.
 *
 * Borrows the jobs, which lie in the sessions, and calls their owner back.
 * From inside a callback other than on_attached no job may be opened, and
 * none be submitted that wasn't open.  on_fill and on_result may come from
 * inside spool_job_submit().
 */
#ifndef MTAD_SMTPD_SPOOL_CLIENT_H
#define MTAD_SMTPD_SPOOL_CLIENT_H

#include "common/base/list.h"
#include "common/base/map.h"
#include "common/ipc/channel.h"

#define SPOOL_INLINE_MAX	((size_t)256 * 1024)	/* body in `submit` */
#define SPOOL_PIECE_MAX		((size_t)256 * 1024)	/* in `body_data` */

enum spool_job_state {
	SPOOL_JOB_IDLE,
	SPOOL_JOB_OPEN,		/* its body is going over in pieces */
	SPOOL_JOB_READY,	/* whole; waits for credit or for queued */
	SPOOL_JOB_SENT,		/* its fate is in queued's hands */
	SPOOL_JOB_ASKED,	/* the same, asked for by its token */
};

struct spool_job {
	struct list node;
	uint64_t token;
	uint64_t credit;	/* bytes of body that may go over */
	enum spool_job_state state;
	bool is_streamed;
};

struct spool_ops {
	/* Fills in all but the token; spans are borrowed until the next
	 * on_fill.  False: no memory, refuse it. */
	bool (*on_fill)(struct spool_job *job, struct msg_submit *m);
	/* The job is settled, and idle again; ID with SUBMIT_ACCEPTED. */
	void (*on_result)(struct spool_job *job, enum submit_result result,
	    uint64_t id);
	/* An open job can't be kept; it is idle again. */
	void (*on_failed)(struct spool_job *job, enum submit_result result);
	/* More of an open job's body may go. */
	void (*on_credit)(struct spool_job *job);
	/* Queued is there again: whoever waited to open a job may try. */
	void (*on_attached)(void *ctx);
};

struct spool_client {
	const struct spool_ops *ops;
	void *ctx;			/* for on_attached */
	struct channel *channel;	/* borrowed; NULL: no queued */
	int64_t credit;			/* bytes of submissions; may go below */
	uint64_t next_token;
	struct map_u64 jobs;		/* by token: open, ready, sent, asked */
	struct list ready;
};

/* life: INSTANCE makes tokens unique among all smtpds there ever were */
void spool_client_init(struct spool_client *c, const struct spool_ops *ops,
    void *ctx, uint64_t instance);
void spool_client_clear(struct spool_client *c);

/* queued appeared; it went away, and all it had said was heard */
void spool_client_attach(struct spool_client *c, struct channel *channel);
void spool_client_detach(struct spool_client *c);

/* A message from queued about a job or the credit; others are ignored. */
void spool_client_msg(struct spool_client *c, const struct msg *m);

/* Gives up jobs that were never sent: on_result with SUBMIT_IO. */
void spool_client_give_up(struct spool_client *c);

/* jobs */
void spool_job_init(struct spool_job *job);

/* Begins to send a body in pieces; a list: recipients before it.  ERR_AGAIN:
 * not while queued is away; ERR_NOMEM. */
enum err spool_job_open(struct spool_client *c, struct spool_job *job,
    bool is_list);

/* Sends RECIPIENTS, all or none: false, credit does not allow it now. */
bool spool_job_push_list(struct spool_client *c, struct spool_job *job,
    struct span recipients);

/* Sends what credit allows of BODY; returns how much. */
size_t spool_job_push(struct spool_client *c, struct spool_job *job,
    struct span body);

/* The message is whole (its body was pushed wholly, or goes along).
 * ERR_NOMEM. */
enum err spool_job_submit(struct spool_client *c, struct spool_job *job);

/* The client went away.  False: it is too late, on_result will come. */
bool spool_job_drop(struct spool_client *c, struct spool_job *job);

#endif
