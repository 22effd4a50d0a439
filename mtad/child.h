/*
 * The life of one child: started, handed what it needs, joined with its
 * siblings, started again when it dies.
 */
#ifndef MTAD_MTAD_CHILD_H
#define MTAD_MTAD_CHILD_H

#include "mtad/mtad.h"

#define CHILD_BACK_OFF_FIRST_MS	100	/* after the second death */
#define CHILD_BACK_OFF_MAX_MS	10000
#define CHILD_STEADY_MS		60000	/* alive so long: no back-off */

/* Makes the places for all children of the configuration; starts none. */
enum err child_make_all(struct mtad *m);
void child_free_all(struct mtad *m);

/* Starts one that is wanted and not running; tries again later when that
 * fails. */
void child_start(struct child *c);

/* SIGCHLD: whoever has died. */
void child_reap(struct mtad *m);

/* Asks it to finish within GRACE_MS; kills it some time after that. */
void child_drain(struct child *c, int64_t grace_ms);

/* Sends M to C when it runs.  FD (a copy of it) goes with it, or -1. */
void child_send(struct child *c, const struct msg *m, int fd);

/* The child of this kind and index that runs, or NULL. */
struct child *child_find(struct mtad *m, enum ipc_role role, uint16_t index);

/* Makes a channel between two siblings that should have one. */
void child_join(struct child *a, struct child *b);

#endif
