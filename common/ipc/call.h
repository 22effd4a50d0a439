/*
 * The blocking side of a channel, for a program that asks and waits: mtactl.
 *
 * Same frames and the same hello as channel.h; no loop, and
 * descriptors one at a time.
 */
#ifndef MTAD_IPC_CALL_H
#define MTAD_IPC_CALL_H

#include "common/ipc/messages.h"

struct call;

/* Connects to the Unix socket PATH as SELF, to speak with PEER.
 * ERR_NOT_FOUND, ERR_PEER (nobody serves it), ERR_DENIED, ERR_RANGE, ERR_IO,
 * ERR_NOMEM; always with words for people in WHY. */
enum err call_open(const char *path, enum ipc_role self, enum ipc_role peer,
    struct call **out, struct why *why);
void call_close(struct call **c);

/* ERR_PEER: gone; ERR_RANGE, ERR_NOMEM; ERR_AGAIN after TIMEOUT_MS. */
enum err call_send(struct call *c, const struct msg *m, int64_t timeout_ms,
    struct why *why);

/* The next message; OUT borrows until the next call.  ERR_AGAIN after
 * TIMEOUT_MS, ERR_PEER when the other end is gone or breaks the protocol,
 * ERR_VERSION when it is of another build. */
enum err call_next(struct call *c, int64_t timeout_ms, struct msg *out,
    struct why *why);

/* The descriptor that came with the last message, given to the caller; -1:
 * none did, or it was taken.  The next call closes one that was not. */
int call_take_fd(struct call *c);

#endif
