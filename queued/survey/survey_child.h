/*
 * A check in a process of its own: forked, idle in priority, gone with its
 * parent; what it says comes through a pipe.
 *
 * The child keeps nothing of its parent but the working directory; so the
 * parent may have threads.
 */
#ifndef MTAD_QUEUED_SURVEY_SURVEY_CHILD_H
#define MTAD_QUEUED_SURVEY_SURVEY_CHILD_H

#include "queued/survey/survey.h"

#include <sys/types.h>

struct survey_child {
	pid_t pid;			/* 0: none */
	int fd;				/* to be read, not blocking */
	struct buf in;
	enum survey_verdict verdict;
	bool has_verdict;
};

/* survey_check() or survey_list() */
typedef enum survey_verdict survey_run(const struct survey_spool *spool,
    const struct survey_sink *sink);

/* Starts it on SPOOL.  ERR_FULL, ERR_IO. */
enum err survey_child_start(struct survey_child *c, survey_run *work,
    const struct survey_spool *spool, bool is_json);

/* Kills it if it lives, waits for it, closes. */
void survey_child_end(struct survey_child *c);

/* Takes what has come and tells it to SINK.  ERR_AGAIN: more will come; OK: it
 * has ended, and has_verdict says whether it came to an end of its own;
 * ERR_NOMEM. */
enum err survey_child_take(struct survey_child *c,
    const struct survey_sink *sink);

#endif
