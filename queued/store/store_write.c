/*
 * Every change goes the same way: memory for all of it is had, the record is
 * appended to the open group, then memory is changed.  So whatever fails, fails
 * before the first byte that counts, and an append is undone by setting the
 * buffer's n back.
 *
 * What clients wait for (a message, an operator's change) makes its group one
 * that is synced as it is written; verdicts and lease notes do not, and are
 * synced with the next group or within a second (SPOOL.md, "Writing").
 */
#include "queued/store/store_write.h"

#include "common/base/check.h"
#include "common/mail/queue_id.h"
#include "queued/store/store_apply.h"
#include "queued/store/store_body_private.h"
#include "queued/store/store_group.h"
#include "queued/store/store_memory.h"
#include "queued/store/store_note.h"
#include "queued/store/store_private.h"
#include "queued/store/store_record.h"

/* Of the open group: mail stops here, verdicts go on. */
#define OPEN_MAIL_MAX	((size_t)32 << 20)

/* Bytes of log that the index may be behind, when nobody minds the pause. */
#define LAG_MAX		((uint64_t)256 << 20)

/* A verdict without the words of others, whatever its count. */
#define VERDICT_BYTES	((size_t)64 + STORE_UNIT_RECIPIENTS * 24)

/* ---- the open group ---- */

/* Reserves more than the record: tail and padding too, so that the hand-over
 * of the group cannot fail later for want of memory. */
enum err
store_write_begin(struct store *s, size_t bytes, size_t *at)
{
	struct buf *b;

	if (s->is_dead)
		return ERR_IO;
	b = store_log_records(s);
	if (buf_reserve(b, bytes + STORE_RECORD_HEAD + STORE_BLOCK +
	    STORE_GROUP_TAIL) == NULL) {
		b->is_failed = false;
		return ERR_NOMEM;
	}
	*at = store_record_begin(b);
	return OK;
}

void
store_want_sync(struct store *s)
{
	s->log.open->needs_sync = true;
}

/* A group that is under way without a sync is followed by one. */
void
store_want_all_synced(struct store *s)
{
	if (store_log_is_open_empty(s))
		s->log.wants_sync = true;
	else
		s->log.open->needs_sync = true;
}

/* Beside the report: more than a verdict without words can take. */
enum err
store_reserve(struct store *s, size_t bytes)
{
	struct buf *b;

	if (s->is_dead)
		return ERR_IO;
	b = store_log_records(s);
	if (buf_reserve(b, bytes + 2 * VERDICT_BYTES + STORE_HISTORY_MAX +
	    3 * STORE_BLOCK) == NULL) {
		b->is_failed = false;
		return ERR_NOMEM;
	}
	return store_numbers_reserve(&s->log.open->settles);
}

/* ---- a message ---- */

/* Only clients' mail is refused for want of room.  A report must stand in the
 * group of its verdict (I-02), so it may use the reserve. */
static enum err
check_submission(struct store *s, const struct store_submission *sub,
    struct envelope *e)
{
	size_t n = sub->envelope.n + sub->trace_head.n + sub->trace_tail.n +
	    sub->body.n;

	if (s->is_dead)
		return ERR_IO;
	if (n > STORE_RECORD_MAX)
		return ERR_RANGE;
	if (envelope_check(sub->envelope, e) != OK || e->rcpt_count == 0)
		return ERR_SYNTAX;
	if (sub->is_report)
		return OK;
	if (!s->space.told.is_accepting ||
	    store_log_records(s)->n > OPEN_MAIL_MAX ||
	    store_overlay_lag(&s->overlay) > LAG_MAX)
		return ERR_FULL;
	return OK;
}

/* Our own messages came from nowhere: they have no trace field. */
static size_t
trace_bytes(const struct store_submission *sub)
{
	return sub->trace_head.n == 0 ? 0 :
	    sub->trace_head.n + QUEUE_ID_LENGTH + sub->trace_tail.n;
}

/* The record's bytes; content last. */
static enum err
put_message(struct store *s, const struct store_submission *sub, uint64_t id,
    struct store_record_message *r, size_t *at)
{
	size_t bytes = sub->envelope.n + r->keys.n + r->unit_of.n +
	    sub->trace_head.n + sub->trace_tail.n + sub->body.n + 256;
	struct buf *b = store_log_records(s);
	char text[QUEUE_ID_SIZE];
	enum err e = store_write_begin(s, bytes, at);

	if (e != OK)
		return e;
	queue_id_format(id, text);
	store_record_put_message(b, r);
	if (r->trace_bytes > 0) {
		buf_add_span(b, sub->trace_head);
		buf_add(b, text, QUEUE_ID_LENGTH);
		buf_add_span(b, sub->trace_tail);
	}
	buf_add_span(b, sub->body);
	MUST(!buf_failed(b));
	store_record_end_message(b, *at, 0, r->list.id != 0, id,
	    r->trace_bytes + sub->body.n);
	return OK;
}

/* The sum that the record's head holds. */
static uint32_t
content_sum(const struct buf *b, size_t at)
{
	struct span rest = span_from(buf_span(b), at);
	struct wire w;

	wire_init(&w, span_from(rest, 24));
	return wire_u32(&w);
}

/* Making the message in memory checks that the record does not contradict
 * itself; if it does, it is cut off again. */
enum err
store_write_birth(struct store *s, const struct store_record_message *r,
    uint64_t id, size_t at, size_t content, struct message **out)
{
	struct buf *b = store_log_records(s);
	struct message *m;
	enum err e = store_memory_birth(s, id, r, &m);

	if (e != OK) {
		b->n = at;
		return e == ERR_CORRUPT ? ERR_SYNTAX : e;
	}
	m->record_bytes = (uint32_t)(b->n - at);
	m->content_crc = content_sum(b, at);
	store_log_born(s, m, b->n - content);
	s->log.open->needs_sync = true;
	*out = m;
	return OK;
}

enum err
store_submit(struct store *s, const struct store_submission *sub,
    struct store_unit **out)
{
	struct store_record_message r = {
		.token = sub->token,
		/* it is the first due_at, whose top bit means held */
		.arrived_at = sub->arrived_at & ~STORE_DUE_HELD,
		.content_flags = sub->content_flags,
		.is_report = sub->is_report,
		.envelope = sub->envelope,
		.body_bytes = sub->body.n,
	};
	struct message *m;
	struct envelope envelope;
	uint64_t id = s->next_id;
	size_t at;
	enum err e = check_submission(s, sub, &envelope);

	if (e == OK)
		e = store_units_divide(&s->units, &envelope, sub);
	if (e == OK && sub->is_streamed)
		e = store_bodies_closed(s, sub, &id, &r);
	if (e != OK)
		return e;
	r.trace_bytes = (uint32_t)trace_bytes(sub);
	r.unit_count = s->units.count;
	r.keys = buf_span(&s->units.keys);
	if (r.unit_count > 1)
		r.unit_of = buf_span(&s->units.unit_of);
	if ((e = put_message(s, sub, id, &r, &at)) != OK ||
	    (e = store_write_birth(s, &r, id, at, r.trace_bytes + sub->body.n,
	    &m)) != OK)
		return e;
	/* a streamed body got its id when its file was made; an id is
	 * used up only now, so a refused submission leaves no gap */
	if (sub->is_streamed)
		store_bodies_submitted(s, sub->token);
	else
		s->next_id++;
	*out = &m->units[0]->pub;
	return OK;
}

/* ---- verdicts ---- */

static size_t
verdict_bytes(const struct store_verdict *v)
{
	size_t n = VERDICT_BYTES + v->history.n;

	for (size_t i = 0; i < v->count; i++)
		n += v->results[i].status.n + v->results[i].text.n +
		    v->results[i].host.n;
	return n;
}

static void
put_rows(struct store *s, const struct unit *u, const struct store_verdict *v,
    size_t at)
{
	struct buf *b = store_log_records(s);

	store_record_put_verdict(b, u->pub.number, v);
	MUST(!buf_failed(b));
	store_record_end(b, at, STORE_RECORD_VERDICT, u->pub.message->id, 0);
}

/* Without the words.  Not inlined: the rows take 64 KB, which the
 * compiler fills with zeros at each call. */
static __attribute__((noinline)) enum err
put_bare_verdict(struct store *s, const struct unit *u,
    const struct store_verdict *v)
{
	struct store_verdict bare = *v;
	struct store_result rows[STORE_UNIT_RECIPIENTS];
	size_t at;
	enum err e = store_write_begin(s, VERDICT_BYTES, &at);

	if (e != OK)
		return e;
	for (size_t i = 0; i < v->count; i++) {
		rows[i] = v->results[i];
		rows[i].status = rows[i].text = rows[i].host = SPAN_NONE;
	}
	bare.results = rows;
	bare.history = SPAN_NONE;
	put_rows(s, u, &bare, at);
	return OK;
}

/* Says in the log what V says, without the words when there is no memory. */
static enum err
put_verdict(struct store *s, const struct unit *u,
    const struct store_verdict *v)
{
	size_t at;
	enum err e = store_write_begin(s, verdict_bytes(v), &at);

	if (e == ERR_NOMEM)
		return put_bare_verdict(s, u, v);
	if (e == OK)
		put_rows(s, u, v, at);
	return e;
}

/* Only a verdict that settles somebody or tells of a notice keeps its segment
 * for that of the message.  One that is not placed yet stands in this group,
 * and so in the same segment. */
enum err
store_verdict(struct store *s, struct store_unit *unit,
    const struct store_verdict *verdict, bool *is_over)
{
	struct unit *u = store_memory_unit(unit);
	const struct message *m = store_memory_message(unit->message);
	enum err e = OK;

	if (s->is_dead)
		return ERR_IO;
	MUST(verdict->count <= STORE_UNIT_RECIPIENTS);
	MUST(store_apply_fits(u, verdict));
	if (m->is_placed && store_apply_matters(verdict))
		e = store_log_settles(s, m->pub.place.segment);
	if (e == OK)
		e = put_verdict(s, u, verdict);
	if (e == OK)
		store_apply_verdict(s, u, verdict, is_over);
	return e;
}

/* It keeps no segment, and nobody is waiting for it. */
enum err
store_note(struct store *s, uint64_t id, const struct store_note *n)
{
	size_t at;
	enum err e = store_write_begin(s, 64 + STORE_NOTE_BY_MAX, &at);

	if (e != OK)
		return e;
	store_note_put(store_log_records(s), n);
	store_record_end(store_log_records(s), at, STORE_RECORD_NOTE, id, 0);
	return OK;
}

/* Written only: the note outlives the process, not a power cut. */
enum err
store_note_lease(struct store *s, struct store_unit *unit, uint64_t lease)
{
	size_t at;
	enum err e = store_write_begin(s, 64, &at);

	if (e != OK)
		return e;
	store_record_put_unit(store_log_records(s), unit->number, lease);
	store_record_end(store_log_records(s), at, STORE_RECORD_LEASE,
	    unit->message->id, 0);
	store_apply_lease(s, store_memory_unit(unit), lease);
	return OK;
}

/* Its record lies behind the index and its unit's row is still to be written:
 * a start replays the record, which stands for the note of the lease.  But not
 * behind a verdict: that ends a lease for who replays it, too. */
static bool
is_fresh(const struct message *m, const struct unit *u)
{
	return !m->has_row && !list_is_linked(&m->frozen) && !u->has_verdict &&
	    !store_is_put_off(&u->pub);
}

enum err
store_lease(struct store *s, struct store_unit *unit, uint64_t lease,
    bool *is_noted)
{
	struct unit *u = store_memory_unit(unit);
	enum err e;

	if (is_fresh(store_memory_message(unit->message), u)) {
		store_apply_lease(s, u, lease);
		*is_noted = false;
		return OK;
	}
	e = store_note_lease(s, unit, lease);
	*is_noted = e == OK;
	return e;
}

enum err
store_reschedule(struct store *s, struct store_unit *unit, uint64_t due_at)
{
	size_t at;
	enum err e = store_write_begin(s, 64, &at);

	if (e != OK)
		return e;
	store_record_put_unit(store_log_records(s), unit->number, due_at);
	store_record_end(store_log_records(s), at, STORE_RECORD_RESCHEDULE,
	    unit->message->id, 0);
	s->log.open->needs_sync = true;
	store_apply_due(s, store_memory_unit(unit), due_at);
	return OK;
}

enum err
store_hold(struct store *s, struct store_message *message, bool is_held)
{
	struct message *m = store_memory_message(message);
	size_t at;
	enum err e;

	if (message->is_held == is_held)
		return OK;
	/* the rows of all units change, so all must be here */
	if ((e = store_memory_load_all(s, m)) != OK ||
	    (m->is_placed &&
	    (e = store_log_settles(s, m->pub.place.segment)) != OK) ||
	    (e = store_write_begin(s, 64, &at)) != OK)
		return e;
	store_record_put_hold(store_log_records(s), is_held);
	store_record_end(store_log_records(s), at, STORE_RECORD_HOLD,
	    message->id, 0);
	s->log.open->needs_sync = true;
	store_apply_hold(s, m, is_held);
	return OK;
}
