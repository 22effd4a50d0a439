/*
 * messages.def becomes code, in five passes over it: sizes, writers, readers,
 * lists, and the table by number.  Each pass says what RECORD, MSG and the
 * kinds of fields mean, includes the list and takes their meanings back
 * (messages_undef.def).  messages_rows.def is for passes that want names only.
 *
 * Nothing here is written by hand for one message, and so no message can be
 * read otherwise than it is written.
 */
#include "common/ipc/messages.h"

/*
 * Sizes: the longest encoding of each record and message, summed by the
 * compiler.
 */
enum msg_size {
#define RECORD(name)		SIZE_##name = 0
#define END_RECORD(name)	,
#define MSG(name, number, from, to, doc) MSG_SIZE_##name = 0
#define END_MSG(name)		,
#define U8(field)		+ 1
#define U16(field)		+ 2
#define U32(field)		+ 4
#define U64(field)		+ 8
#define SPAN(field, max)	+ 4 + (max)
#define LIST(field, record, max) + 4 + (max) * SIZE_##record
#include "common/ipc/messages.def"
#include "common/ipc/messages_undef.def"
};

/*
 * Writing.  What is too long for the receiver is left out and told, for the
 * sender must hear of it before anything leaves.
 */
static void
put_span(struct buf *b, struct span s, size_t max, bool *is_long)
{
	if (s.n > max)
		*is_long = true;
	else
		wire_put_span(b, s);
}

/* The caller put the elements together with msg_put_RECORD(); only their
 * number and length are checked here, the receiver checks them all. */
static void
put_list(struct buf *b, const struct msg_list *l, uint32_t max, size_t bytes,
    bool *is_long)
{
	if (l->n > max || l->bytes.n > bytes) {
		*is_long = true;
		return;
	}
	wire_put_u32(b, l->n);
	buf_add_span(b, l->bytes);
}

#define RECORD(name) \
static void \
put_##name(struct buf *b, const struct msg_##name *m, bool *is_long) \
{ \
	(void)m; \
	(void)b; \
	(void)is_long;
#define END_RECORD(name)	}
#define MSG(name, number, from, to, doc) RECORD(name)
#define END_MSG(name)		}
#define U8(field)		wire_put_u8(b, m->field);
#define U16(field)		wire_put_u16(b, m->field);
#define U32(field)		wire_put_u32(b, m->field);
#define U64(field)		wire_put_u64(b, m->field);
#define SPAN(field, max)	put_span(b, m->field, (max), is_long);
#define LIST(field, record, max) \
	put_list(b, &m->field, (max), (size_t)(max) * SIZE_##record, is_long);
#include "common/ipc/messages.def"
#include "common/ipc/messages_undef.def"

/*
 * Reading.  A list is walked once to check it; its bytes stay where they are
 * and are walked again by whoever wants them.
 */
/* Walks one element and forgets it. */
#define LIST_WALK(record) \
static void \
skip_##record(struct wire *w) \
{ \
	struct msg_##record element; \
 \
	get_##record(w, &element); \
}

/* Time and memory are bounded by the bytes of the frame: each element takes at
 * least one of them or fails the cursor. */
static struct msg_list
get_list(struct wire *w, uint32_t max, void (*skip)(struct wire *w))
{
	struct msg_list l = { .n = wire_u32(w) };
	const uint8_t *begin = w->p;

	if (l.n > max) {
		wire_fail(w);
		return (struct msg_list){ 0 };
	}
	for (uint32_t i = 0; i < l.n && !w->is_failed; i++)
		skip(w);
	if (w->is_failed)
		return (struct msg_list){ 0 };
	l.bytes = span_of(begin, (size_t)(w->p - begin));
	return l;
}

#define READER(name) \
static void \
get_##name(struct wire *w, struct msg_##name *m) \
{ \
	(void)m; \
	(void)w;
#define RECORD(name)		READER(name)
#define END_RECORD(name)	} LIST_WALK(name)
#define MSG(name, number, from, to, doc) READER(name)
#define END_MSG(name)		}
#define U8(field)		m->field = wire_u8(w);
#define U16(field)		m->field = wire_u16(w);
#define U32(field)		m->field = wire_u32(w);
#define U64(field)		m->field = wire_u64(w);
#define SPAN(field, max)	m->field = wire_span(w, (max));
#define LIST(field, record, max) m->field = get_list(w, (max), skip_##record);
#include "common/ipc/messages.def"
#include "common/ipc/messages_undef.def"

#define RECORD(name) \
void \
msg_put_##name(struct buf *b, const struct msg_##name *r) \
{ \
	bool is_long = false; \
 \
	put_##name(b, r, &is_long); \
	b->is_failed |= is_long; \
} \
 \
bool \
msg_next_##name(struct msg_list *l, struct msg_##name *out) \
{ \
	struct msg_##name element; \
	struct wire w; \
 \
	if (l->n == 0) \
		return false; \
	wire_init(&w, l->bytes); \
	get_##name(&w, &element); \
	if (w.is_failed) \
		return false; \
	l->n--; \
	l->bytes = span_of(w.p, w.n); \
	*out = element; \
	return true; \
}
#include "common/ipc/messages_rows.def"

/* The table by number: what is known, and how to write and read it. */
struct row {
	struct msg_info info;
	void (*put)(struct buf *b, const struct msg *m, bool *is_long);
	void (*get)(struct wire *w, struct msg *m);
};

#define MSG(name, number, from, to, doc) \
static void \
put_msg_##name(struct buf *b, const struct msg *m, bool *is_long) \
{ \
	put_##name(b, &m->name, is_long); \
} \
 \
static void \
get_msg_##name(struct wire *w, struct msg *m) \
{ \
	get_##name(w, &m->name); \
}
#include "common/ipc/messages_rows.def"

static const struct row rows[MSG_NUMBER_MAX + 1] = {
#define MSG(name, number, from_set, to_set, text) \
	[number] = { \
		{ #name, from_set, to_set, MSG_SIZE_##name, text }, \
		put_msg_##name, get_msg_##name, \
	},
#include "common/ipc/messages_rows.def"
};

/* Numbers without a message are empty rows. */
static const struct row *
find_row(unsigned number)
{
	if (number > MSG_NUMBER_MAX || rows[number].put == NULL)
		return NULL;
	return &rows[number];
}

const struct msg_info *
msg_info(unsigned number)
{
	const struct row *row = find_row(number);

	return row != NULL ? &row->info : NULL;
}

/* The directions of messages.def; both ends ask. */
bool
msg_is_allowed(unsigned number, enum ipc_role from, enum ipc_role to)
{
	const struct msg_info *info = msg_info(number);

	return info != NULL && (unsigned)from < ROLE_COUNT &&
	    (unsigned)to < ROLE_COUNT && (info->from & (1u << from)) != 0 &&
	    (info->to & (1u << to)) != 0;
}

const char *
ipc_role_name(enum ipc_role role)
{
	static const char *const names[ROLE_COUNT] = {
		[ROLE_PARENT] = "mtad", [ROLE_SMTPD] = "smtpd",
		[ROLE_QUEUED] = "queued", [ROLE_DELIVERD] = "deliverd",
		[ROLE_DNSD] = "dnsd", [ROLE_KEYD] = "keyd",
		[ROLE_FETCHD] = "fetchd",
		[ROLE_CTL] = "mtactl",
	};

	return (unsigned)role < ROLE_COUNT ? names[role] : "unknown";
}

/* Fields that are too long are left out while writing: the caller drops all of
 * it (frame_put()). */
enum err
msg_encode(const struct msg *m, struct buf *b)
{
	const struct row *row = find_row(m->type);
	bool is_long = false;

	if (row == NULL)
		return ERR_RANGE;
	row->put(b, m, &is_long);
	if (is_long)
		return ERR_RANGE;
	return buf_failed(b) ? ERR_NOMEM : OK;
}

enum err
msg_decode(unsigned number, struct span bytes, struct msg *out)
{
	const struct row *row = find_row(number);
	struct msg m;
	struct wire w;

	if (row == NULL)
		return ERR_SYNTAX;
	m.type = (enum msg_type)number;
	wire_init(&w, bytes);
	row->get(&w, &m);
	/* also when bytes are left over: nobody sends more than a message
	 * has */
	if (wire_done(&w) != OK)
		return ERR_SYNTAX;
	*out = m;
	return OK;
}
