/*
 * Frames, for channels and calls alike.  The length is written when the fields
 * are there; a message that can't be encoded takes its header back, so that a
 * sender's mistake never reaches the wire.
 */
#include "common/ipc/frame.h"

#include "common/base/text.h"
#include "mtad_version.h"

enum err
frame_put(struct buf *b, const struct msg *m, unsigned fds)
{
	const size_t at = b->n;
	enum err e;

	wire_put_u32(b, 0);
	wire_put_u16(b, (uint16_t)m->type);
	wire_put_u16(b, (uint16_t)fds);
	e = msg_encode(m, b);
	if (e == OK) {
		wire_patch_u32(b, at, (uint32_t)(b->n - at));
		return OK;
	}
	b->n = at;
	b->is_failed = false;
	return e;
}

/* What a header promises, before any of its fields is waited for: nobody can
 * make us hold more bytes than such a message may have. */
static enum err
check_header(const struct frame *f, enum ipc_role from, enum ipc_role to,
    struct why *why)
{
	const struct msg_info *info = msg_info(f->type);

	if (!msg_is_allowed(f->type, from, to))
		return why_set(why, ERR_PEER, "%s must not send %s to %s",
		    ipc_role_name(from),
		    info != NULL ? info->name : "an unknown message",
		    ipc_role_name(to));
	if (f->length < FRAME_HEADER_BYTES ||
	    f->length - FRAME_HEADER_BYTES > info->bytes_max)
		return why_set(why, ERR_PEER, "%s of %zu bytes from %s",
		    info->name, f->length, ipc_role_name(from));
	if (f->fds > 1)
		return why_set(why, ERR_PEER, "%s with %u descriptors",
		    info->name, f->fds);
	return OK;
}

/* F is complete as soon as the header is: OUT tells how much is still to
 * come. */
enum err
frame_get(struct span bytes, enum ipc_role from, enum ipc_role to,
    struct frame *out, struct why *why)
{
	struct frame f;
	struct wire w;
	enum err e;

	out->length = 0;
	if (bytes.n < FRAME_HEADER_BYTES)
		return ERR_AGAIN;
	wire_init(&w, bytes);
	f.length = wire_u32(&w);
	f.type = wire_u16(&w);
	f.fds = wire_u16(&w);
	e = check_header(&f, from, to, why);
	if (e != OK)
		return e;
	f.fields = span_sub(bytes, FRAME_HEADER_BYTES,
	    f.length - FRAME_HEADER_BYTES);
	*out = f;
	/* then its fields are cut, and must not be looked at */
	return bytes.n >= f.length ? OK : ERR_AGAIN;
}

struct msg
frame_hello(enum ipc_role role, uint16_t index, uint64_t instance)
{
	return (struct msg){
		.type = MSG_hello,
		.hello = {
			.build = SPAN_LIT(MTAD_BUILD_ID),
			.role = (uint8_t)role,
			.index = index,
			.instance = instance,
		},
	};
}

/* All processes come from one build.  There is no older version of a message
 * that would have to be understood. */
enum err
frame_check_hello(const struct msg *m, enum ipc_role role, struct why *why)
{
	char build[64];
	size_t n;

	if (m->type != MSG_hello)
		return why_set(why, ERR_PEER, "%s before hello",
		    msg_info(m->type)->name);
	if (!span_equal(m->hello.build, SPAN_LIT(MTAD_BUILD_ID))) {
		n = text_escape(m->hello.build, NULL, build, sizeof(build));
		return why_set(why, ERR_VERSION,
		    "%s is of build %.*s, this is " MTAD_BUILD_ID,
		    ipc_role_name(role), (int)n, build);
	}
	if (m->hello.role != role)
		return why_set(why, ERR_PEER, "%s instead of %s",
		    ipc_role_name(m->hello.role), ipc_role_name(role));
	return OK;
}
