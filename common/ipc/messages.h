/*
 * The messages between our processes as structs, expanded from messages.def:
 * struct msg_submit, MSG_submit, and msg.submit in the union struct msg.
 *
 * Decoded spans and lists are borrowed from the frame.  A list is walked with
 * msg_next_RECORD(), and made with msg_put_RECORD() into a buffer.  Bytes from
 * a peer are never trusted: every length, count and element is checked while
 * decoding, and trailing bytes are refused.
 */
#ifndef MTAD_IPC_MESSAGES_H
#define MTAD_IPC_MESSAGES_H

#include "common/base/wire.h"
#include "common/ipc/ipc_words.h"

/* Elements back to back in wire form; already checked when decoded. */
struct msg_list {
	uint32_t n;
	struct span bytes;
};

#define RECORD(name)		struct msg_##name {
#define END_RECORD(name)	};
#define MSG(name, number, from, to, doc) struct msg_##name {
#define END_MSG(name)		};
#define U8(field)		uint8_t field;
#define U16(field)		uint16_t field;
#define U32(field)		uint32_t field;
#define U64(field)		uint64_t field;
#define SPAN(field, max)	struct span field;
#define LIST(field, record, max) struct msg_list field;
#include "common/ipc/messages.def"
#include "common/ipc/messages_undef.def"

enum msg_type {
#define MSG(name, number, from, to, doc) MSG_##name = (number),
#include "common/ipc/messages_rows.def"
};

struct msg {
	enum msg_type type;
	union {
#define MSG(name, number, from, to, doc) struct msg_##name name;
#include "common/ipc/messages_rows.def"
	};
};

#define MSG_NUMBER_MAX 511

/* What is known of a type; from and to are sets of roles (R_PARENT …). */
struct msg_info {
	const char *name;
	unsigned from;
	unsigned to;
	size_t bytes_max;		/* longest encoding */
	const char *doc;
};

/* NULL for a number that no message has. */
const struct msg_info *msg_info(unsigned number);

/* Whether FROM may send such a message to TO. */
bool msg_is_allowed(unsigned number, enum ipc_role from, enum ipc_role to);

const char *ipc_role_name(enum ipc_role role);

/* Appends the fields.  ERR_RANGE: a span or list is longer than its maximum,
 * or there is no such type; ERR_NOMEM: the buffer's ceiling. */
enum err msg_encode(const struct msg *m, struct buf *b);

/* OUT borrows from BYTES.  ERR_SYNTAX; OUT is untouched then. */
enum err msg_decode(unsigned number, struct span bytes, struct msg *out);

/*
 * For each record: append one to a list being made (count them yourself), and
 * take the first one off a list (false when none is left, or on a list that
 * was not decoded and is wrong).
 */
#define RECORD(name) \
	void msg_put_##name(struct buf *b, const struct msg_##name *r); \
	bool msg_next_##name(struct msg_list *l, struct msg_##name *out);
#include "common/ipc/messages_rows.def"

#endif
