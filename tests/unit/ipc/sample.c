#include "tests/unit/ipc/sample.h"

#include "common/base/check.h"

static const char text[] =
    "abcdefghijklmnopqrstuvwxyz0123456789 \r\n\0\xff\x80 the quick brown fox";

/* Numbers that use all of their bytes; lengths within the maximum. */
static uint64_t
number_of(unsigned seed, unsigned line)
{
	return seed == 0 ? 0 :
	    (uint64_t)seed * UINT64_C(0x9e3779b97f4a7c15) + line;
}

static struct span
span_for(unsigned seed, unsigned line, size_t max)
{
	size_t n = number_of(seed, line) % sizeof(text);

	return span_of(text, n < max ? n : max);
}

static struct buf *
list_memory(struct sample *s)
{
	struct buf *b = &s->lists[s->list_count++];

	MUST(s->list_count <= COUNT_OF(s->lists));
	buf_init(b, (size_t)1 << 20);
	return b;
}

#define U8(f)	m->f = (uint8_t)number_of(seed, __LINE__);
#define U16(f)	m->f = (uint16_t)number_of(seed, __LINE__);
#define U32(f)	m->f = (uint32_t)number_of(seed, __LINE__);
#define U64(f)	m->f = number_of(seed, __LINE__);
#define SPAN(f, max) m->f = span_for(seed, __LINE__, (max));
#define LIST(f, record, max) do { \
	struct buf *b = list_memory(s); \
	struct msg_##record element; \
 \
	m->f.n = seed == 0 ? 0 : 1 + seed % 3; \
	for (unsigned i = 0; i < m->f.n; i++) { \
		fill_##record(s, seed + i, &element); \
		msg_put_##record(b, &element); \
	} \
	m->f.bytes = buf_span(b); \
} while (0);
#define RECORD(name) \
static void \
fill_##name(struct sample *s, unsigned seed, struct msg_##name *m) \
{ \
	(void)s; \
	(void)seed; \
	(void)m;
#define END_RECORD(name) }
#define MSG(name, number, from, to, doc) RECORD(name)
#define END_MSG(name) }
#include "common/ipc/messages.def"
#include "common/ipc/messages_undef.def"

bool
sample_make(unsigned number, unsigned seed, struct sample *out)
{
	memset(out, 0, sizeof(*out));
	switch (number) {
#define MSG(name, no, from, to, doc) \
	case no: \
		out->msg.type = MSG_##name; \
		fill_##name(out, seed, &out->msg.name); \
		return true;
#include "common/ipc/messages_rows.def"
	default:
		return false;
	}
}

void
sample_clear(struct sample *s)
{
	while (s->list_count > 0)
		buf_clear(&s->lists[--s->list_count]);
}
