/*
 * Destinations: the jobs that wait for each, and its connections.
 *
 * A new connection is made only when none is idle: POOL_AT_ONCE of them at
 * first, more as the backlog grows.  A destination is freed with its last job
 * and connection.
 */
#ifndef MTAD_DELIVERD_POOL_H
#define MTAD_DELIVERD_POOL_H

#include "deliverd/deliverd.h"
#include "deliverd/job.h"

#define POOL_AT_ONCE	5	/* connections before there is a backlog */
#define POOL_BACKLOG	8	/* waiting jobs that justify one more */
#define POOL_PAUSE_MS	10000	/* no new ones after one was refused */

struct session;

struct dest {
	struct list touched;	/* pool's list of those to be looked at */
	struct list waiting;	/* jobs */
	uint32_t n_waiting;
	uint32_t n_returned;		/* of them, for a new connection only */
	struct list sessions;	/* all that may yet serve a job */
	struct list idle;
	uint32_t n_sessions;
	uint32_t n_up;		/* of them, those in which mails are taken */
	int64_t paused_to_ms;	/* no new connection before this */
	struct settings *settings;	/* of the job that came last */
	struct route route;
	struct buf group;	/* hosts behind it, by MX: told to queued */
	bool requires_tls;	/* REQUIRETLS: all of its mail has it */
	size_t key_n;
	uint8_t key[];
};

enum err pool_new(struct deliverd *d, struct pool **out);
void pool_free(struct pool **p);	/* sessions end, jobs stay as they are */

/* A new job; ERR_NOMEM: the caller keeps it. */
enum err pool_add(struct pool *p, struct job *j);

/* For a session that can take one: the next job, ACTIVE now, or NULL.  What
 * another connection could not try goes to a NEW one only, which can't have
 * been used enough. */
struct job *pool_take(struct dest *dest, bool is_new);

/* A job that its connection did not try comes first again.  WHY defers it when
 * that happened too often; NULL: it was tried, and the rest of its recipients
 * is to follow. */
void pool_return(struct pool *p, struct job *j, const struct tx_finding *why);

/* A session that never came up is giving up: WHY becomes the verdict of all
 * that wait, unless other connections of the destination do their work.  FAILED
 * are the attempts that were made (records, N of them). */
void pool_dial_failed(struct pool *p, struct session *s,
    const struct tx_finding *why, struct msg_list failed);

/* A session's life as the pool sees it.  After pool_leave() the session has no
 * destination any more. */
void pool_up(struct pool *p, struct session *s);
void pool_idle(struct pool *p, struct session *s);
void pool_leave(struct pool *p, struct session *s);

/* Its round over the hosts is at its end: they are who is behind its destination,
 * as told with verdicts; of that of J, empty when it is not known. */
void pool_note_group(struct session *s);
struct span pool_group(const struct pool *p, const struct job *j);

/* The session is about to be freed; it has left. */
void pool_gone(struct pool *p, struct session *s);

/* Waiting jobs go back untried, idle connections end, the rest when done. */
void pool_drain(struct pool *p);

/* Idle connections of an older configuration end. */
void pool_reload(struct pool *p);

size_t pool_sessions(const struct pool *p);

#endif
