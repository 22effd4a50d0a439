/*
 * Directories and lock of an instance.
 */
#ifndef MTAD_MTAD_DIRS_H
#define MTAD_MTAD_DIRS_H

#include "mtad/mtad.h"

/* Makes and checks runtime directory, empty root and spool; M->users must be
 * known.  ERR_DENIED, ERR_IO with words. */
enum err dirs_make(struct mtad *m, struct why *why);

/*
 * Takes the lock of the runtime directory and writes the pid file.  ERR_EXISTS
 * when another mtad runs there.  When one was killed, waits for its children
 * to end, which hold the lock too.
 */
enum err dirs_lock(struct mtad *m, struct why *why);

/* Whether an mtad runs with this runtime directory; its pid, or 0. */
pid_t dirs_running(const struct conf *conf);

/* Binds the control socket.  ERR_IO, ERR_EXISTS with words. */
enum err dirs_open_control(struct mtad *m, struct why *why);

/* Removes the socket and empties the pid file, at a regular end. */
void dirs_tidy(const struct mtad *m);

/* A number for a new process, below 2^24, not used again for as long as may
 * be, also not by the next parent. */
uint64_t dirs_next_instance(struct mtad *m);

#endif
