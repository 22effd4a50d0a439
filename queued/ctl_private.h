/*
 * Sessions of mtactl, shared by the ctl_*.c files of queued alone.
 *
 * A session has at most one job, done in slices so that mail never waits for
 * an operator; a job that fills the session's channel waits for the reader.
 */
#ifndef MTAD_QUEUED_CTL_PRIVATE_H
#define MTAD_QUEUED_CTL_PRIVATE_H

#include "common/base/ipaddr.h"
#include "queued/ctl.h"
#include "queued/ctl_active.h"
#include "queued/ctl_whole.h"
#include "queued/select/select.h"
#include "queued/store/store_look.h"
#include "queued/store/store_read.h"

enum {
	CTL_SESSIONS_MAX = 32,
	CTL_SLICE_MS = 1,		/* of work in one turn: mail waits so long */
	CTL_WALK_ROWS = 256,		/* messages looked at in one step */
	CTL_BACKLOG_MAX = 1024 * 1024,	/* bytes the reader has not taken */
	CTL_RECIPIENTS_SHOWN = 100,	/* in a row of a list */
};

struct ctl_check;
struct ctl_session;
struct forecast;
struct listener;
struct slots;

struct ctl {
	struct queued *q;
	struct listener *listener;
	uint32_t group;			/* gid that may speak */
	struct slots *sessions;
	struct timer slice;		/* the next step of the jobs */
	uint64_t delivered;		/* of the figures, at the last turn */
	uint64_t next_cookie;
	struct buf processes;		/* as the parent told them last */
	uint32_t process_count;
	struct ctl_check *check;	/* of the spool, under way */
	bool is_forecasting;		/* a session is */
};

/* Does a part of the job; returns true when it is over (an answer was sent or
 * waits for a sync). */
typedef bool ctl_step(struct ctl_session *s);

struct ctl_job {
	ctl_step *step;			/* NULL: no job */
	struct select *select;
	unsigned asks;			/* SELECT_ASKS_… */
	struct store_path path;		/* to all that it can match, or ... */
	struct buf ids;			/* of path */
	uint8_t verb;			/* enum ctl_verb */
	bool is_dry_run;
	bool is_of_others;		/* ... that it can't match, and ... */
	uint64_t others;		/* ... so many are looked at */
	int64_t begun_at;		/* the planner's time */
	uint64_t limit;			/* rows still wanted */
	uint64_t cursor;		/* last id looked at */
	uint64_t total, seen;		/* messages, for the progress */
	uint64_t count;			/* messages matched */
	uint64_t group;			/* last one that holds a change; 0 */
	bool has_failed;		/* something could not be changed */
	uint64_t batch[CTL_WALK_ROWS];	/* ids to act upon */
	size_t batch_count;
	struct buf words;		/* the selection, for the log */
	struct ctl_active active;
};

struct ctl_session {
	struct queued *q;
	struct channel *channel;
	uint64_t id;			/* in ctl->sessions */
	uint32_t uid;
	uint64_t reload_cookie;		/* awaited; 0: none */
	bool wants_status;		/* when the parent has told of all */
	bool awaits_sync;		/* the answer waits for job.group */
	bool is_checking, has_backup;	/* ctl->check is its own, and keeps files */
	struct ctl_job job;
	struct forecast *forecast;	/* while one is made */
	struct ctl_history *history;	/* asked for, ctl_history.c */
	struct ctl_route *route;	/* asked for, ctl_route.c */
	struct ctl_whole whole;		/* while a list is shown */
	struct buf rows;		/* recipients of a row */
};

/* Ends the job with an answer. */
void ctl_end(struct ctl_session *s, uint8_t result, uint64_t count,
    struct span text);
void ctl_end_job(struct ctl_session *s);	/* with what came of it */
void ctl_send(struct ctl_session *s, const struct msg *m);

/* The session of this number, if it is still there. */
struct ctl_session *ctl_find(struct queued *q, uint64_t session);

/* The state of a message as operators name it. */
enum select_state ctl_unit_state(const struct queued *q,
    const struct store_unit *unit);
enum select_state ctl_message_state(const struct queued *q,
    struct store_glance *g);
uint8_t ctl_recipient_state(enum select_state unit,
    const struct store_recipient *r);

/* Of raw octets; OUT is left alone when they are no address. */
void ctl_format_client(struct span bytes, char out[IPADDR_TEXT_SIZE]);

/* One message as a row, or the WHOLE that it is one of (else NULL). */
void ctl_send_row(struct ctl_session *s, struct store_glance *g,
    uint32_t recipients_max, const struct ctl_whole *whole);

void ctl_queue_begin(struct ctl_session *s, const struct msg_ctl_queue *m);
void ctl_show(struct ctl_session *s, uint64_t id);
void ctl_quota(struct ctl_session *s, const struct msg_ctl_quota *m);
void ctl_status(struct ctl_session *s);
void ctl_act_batch(struct ctl_session *s);	/* the verb, on the batch */

#endif
