/*
 * Frames: a message with its length and type in front, as it crosses a socket.
 *
 *   u32 length of all of it, u16 type, u16 descriptors (0 or 1), fields
 */
#ifndef MTAD_IPC_FRAME_H
#define MTAD_IPC_FRAME_H

#include "common/ipc/messages.h"

#define FRAME_HEADER_BYTES	8

struct frame {
	size_t length;			/* with its header */
	unsigned type;
	unsigned fds;
	struct span fields;
};

/* Appends one; on failure B is as it was.  ERR_RANGE, ERR_NOMEM. */
enum err frame_put(struct buf *b, const struct msg *m, unsigned fds);

/*
 * Looks at the first frame of BYTES, sent by FROM to TO.  OK: it is all there.
 * ERR_AGAIN: it is not; out->length bytes will be needed (0: not known yet).
 * ERR_PEER: it must not come, WHY says what is wrong.
 */
enum err frame_get(struct span bytes, enum ipc_role from, enum ipc_role to,
    struct frame *out, struct why *why);

/* The hello of this build for ROLE. */
struct msg frame_hello(enum ipc_role role, uint16_t index, uint64_t instance);

/* Whether M is a hello of this build and of ROLE; WHY when it is not
 * (ERR_VERSION: of another build; else ERR_PEER). */
enum err frame_check_hello(const struct msg *m, enum ipc_role role,
    struct why *why);

#endif
