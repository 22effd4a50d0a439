/*
 * Messages and units in memory.
 *
 * A message that is born here is one allocation: itself, its units, pointers to
 * them, recipients, then the bytes that all of these point into.  What is
 * loaded from the index has its units apart, for they come and go one by one;
 * those that the store loaded for itself go again with the next check-point
 * (I-04).
 *
 * What is in memory wins over the index, what is not is exactly as the index
 * says.  So a settled unit or message that the index still has, or is about to
 * get, may not be freed: it stays as a tombstone (is_gone), which lookups do
 * not find.
 */
#include "queued/store/store_memory.h"

#include "common/base/check.h"
#include "common/mail/envelope.h"
#include "queued/store/store_body_private.h"
#include "queued/store/store_overlay.h"
#include "queued/store/store_row.h"

#include <stdlib.h>

struct message *
store_memory_find(const struct store *s, uint64_t id)
{
	struct message *m = map_u64_get(&s->messages, id);

	return m != NULL && !m->is_gone ? m : NULL;
}

/* ---- birth ---- */

/* The parts of a message's one allocation. */
struct layout {
	struct message *m;
	struct unit *units;
	struct store_recipient *recipients;
	uint8_t *bytes;
};

/* One allocation, the structures before the bytes: so all are aligned. */
static enum err
allocate(const struct store_record_message *r, uint32_t recipients,
    size_t head_bytes, struct layout *out)
{
	size_t units = r->unit_count * sizeof(struct unit);
	size_t pointers = r->unit_count * sizeof(struct unit *);
	size_t rows = recipients * sizeof(struct store_recipient);
	uint8_t *p = malloc(sizeof(struct message) + units + pointers + rows +
	    r->envelope.n + r->keys.n + head_bytes);

	if (p == NULL)
		return ERR_NOMEM;
	memset(p, 0, sizeof(struct message) + units + pointers + rows);
	out->m = (struct message *)(void *)p;
	p += sizeof(struct message);
	out->units = (struct unit *)(void *)p;
	p += units;
	out->m->units = (struct unit **)(void *)p;
	p += pointers;
	out->recipients = (struct store_recipient *)(void *)p;
	out->bytes = p + rows;
	return OK;
}

static struct span
keep(struct layout *l, struct span s)
{
	struct span kept = span_of(l->bytes, s.n);

	if (s.n > 0)
		memcpy(l->bytes, s.p, s.n);
	l->bytes += s.n;
	return kept;
}

/* The table is left out of the record of a message with one unit. */
static uint32_t
unit_of(const struct store_record_message *r, uint32_t recipient)
{
	struct wire w;

	if (r->unit_count == 1)
		return 0;
	wire_init(&w, span_from(r->unit_of,
	    (size_t)recipient * sizeof(uint32_t)));
	return wire_u32(&w);
}

/* Sizes of the units, and where their recipients lie. */
static enum err
divide(struct layout *l, const struct store_record_message *r, uint32_t n)
{
	struct store_recipient *next = l->recipients;

	if (r->unit_count > 1 &&
	    r->unit_of.n != (size_t)n * sizeof(uint32_t))
		return ERR_CORRUPT;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t unit = unit_of(r, i);

		/* also read back from a disk: nothing is believed (I-05) */
		if (unit >= r->unit_count ||
		    l->units[unit].pub.count == STORE_UNIT_RECIPIENTS)
			return ERR_CORRUPT;
		l->units[unit].pub.count++;
	}
	for (uint32_t i = 0; i < r->unit_count; i++) {
		struct store_unit *u = &l->units[i].pub;

		if (u->count == 0)
			return ERR_CORRUPT;
		u->recipients = next;
		next += u->count;
	}
	return OK;
}

static void
fill_recipients(struct layout *l, const struct store_record_message *r,
    const struct envelope *e)
{
	struct envelope_iter it;
	struct envelope_rcpt rcpt;

	envelope_iter_init(e, &it);
	while (envelope_iter_next(&it, &rcpt)) {
		struct store_unit *u = &l->units[unit_of(r, it.index)].pub;
		/* divide() has counted, so they fit */
		struct store_recipient *row = &u->recipients[u->left++];

		row->address = rcpt.address;
		row->attributes = rcpt.bytes;
		row->outcome = STORE_NO_OUTCOME;
	}
}

static enum err
fill_units(struct layout *l, const struct store_record_message *r,
    uint64_t hold_ms)
{
	struct wire keys;

	wire_init(&keys, keep(l, r->keys));
	for (uint32_t i = 0; i < r->unit_count; i++) {
		struct unit *u = &l->units[i];

		u->pub.message = &l->m->pub;
		u->pub.number = i;
		u->pub.key = wire_span(&keys, STORE_KEY_MAX);
		u->pub.due_at = (r->arrived_at + hold_ms) & ~STORE_DUE_HELD;
		list_init(&u->dirty);
		list_init(&u->frozen);
		l->m->units[i] = u;
	}
	return wire_done(&keys) == OK ? OK : ERR_CORRUPT;
}

static void
fill_message(struct layout *l, const struct store_record_message *r,
    const struct envelope *e, struct span head)
{
	struct message *m = l->m;
	struct store_message *p = &m->pub;

	p->arrived_at = r->arrived_at;
	p->envelope = keep(l, head);
	/* the head's copy has the same bytes somewhere */
	if (e->sender.n > 0)
		p->sender = span_of(memmem(p->envelope.p, p->envelope.n,
		    e->sender.p, e->sender.n), e->sender.n);
	p->place.trace_bytes = r->trace_bytes;
	p->place.is_file = r->is_file;
	p->place.body_bytes = r->body_bytes;
	p->content_flags = r->content_flags;
	p->is_report = r->is_report;
	p->list = r->list;
	p->recipients = e->rcpt_count;
	p->left = e->rcpt_count;
	p->unit_count = r->unit_count;
	m->token = r->token;
	m->file_crc = r->file_crc;
	m->units_left = r->unit_count;
	m->units_here = r->unit_count;
	list_init(&m->dirty);
	list_init(&m->frozen);
	list_init(&m->born);
	list_init(&m->fresh);
	list_init(&m->held);
}

/* Kept in order of ids, which nearly always grow. */
static void
add_fresh(struct store *s, struct message *m)
{
	struct list *before = s->fresh.prev;

	while (before != &s->fresh && CONTAINER_OF(before, struct message,
	    fresh)->pub.id > m->pub.id)
		before = before->prev;
	list_insert_between(&m->fresh, before, before->next);
}

/* From here on it counts, and the next check-point takes it. */
static void
enter(struct store *s, struct message *m)
{
	s->count.messages++;
	s->count.units += m->pub.unit_count;
	s->count.recipients += m->pub.left;
	s->count.bytes += store_message_size(&m->pub);
	add_fresh(s, m);
	store_overlay_message(&s->overlay, m);
	for (uint32_t i = 0; i < m->pub.unit_count; i++) {
		s->more_here += m->units[i]->pub.count - 1;
		store_overlay_unit(&s->overlay, m->units[i]);
	}
}

/* Makes the object; nothing else knows of it yet. */
static enum err
make(struct store *s, const struct store_record_message *r,
    struct message **out)
{
	struct layout l;
	struct envelope e;
	enum err err;

	if (envelope_check(r->envelope, &e) != OK || e.rcpt_count == 0 ||
	    r->unit_count > e.rcpt_count)
		return ERR_CORRUPT;
	buf_reset(&s->scratch);
	envelope_put_head_as_is(&e, &s->scratch);
	if (buf_failed(&s->scratch))
		return ERR_NOMEM;
	err = allocate(r, e.rcpt_count, s->scratch.n, &l);
	if (err != OK)
		return err;
	fill_message(&l, r, &e, buf_span(&s->scratch));
	/* recipients point into our copy of the envelope */
	e.bytes = keep(&l, r->envelope);
	if ((err = divide(&l, r, e.rcpt_count)) == OK &&
	    (err = fill_units(&l, r, e.hold_ms)) == OK) {
		fill_recipients(&l, r, &e);
		*out = l.m;
		return OK;
	}
	free(l.m);
	return err;
}

enum err
store_memory_birth(struct store *s, uint64_t id,
    const struct store_record_message *r, struct message **out)
{
	struct message *m;
	enum err e = make(s, r, &m);

	if (e != OK)
		return e;
	m->pub.id = id;
	if ((e = map_u64_add(&s->messages, id, m)) != OK) {
		free(m);
		return e;
	}
	if (store_is_list(&m->pub)) {
		m->pub.recipients = m->pub.list.total;
		m->pub.left = m->pub.list.total - m->pub.list.count;
	}
	enter(s, m);
	*out = m;
	return OK;
}

/* ---- from the index ---- */

/* Damage of one row is told and costs that message only. */
static enum err
read_message(struct store *s, uint64_t id, struct message **out)
{
	struct store_row_key key = store_row_key_message(id);
	struct span k = span_of(key.p, key.n), value;
	enum err e = store_index_begin(s->index);

	if (e != OK)
		return e;
	e = store_index_get(s->index, STORE_TABLE_MESSAGE, k, &value);
	if (e == OK)
		e = store_row_get_message(k, value, out);
	store_index_end(s->index);
	if (e == ERR_CORRUPT)
		store_notice(s, "index-damage", "row of message %s",
		    store_id_text(id).p);
	return e;
}

enum err
store_memory_load(struct store *s, uint64_t id, struct message **out)
{
	struct message *m = map_u64_get(&s->messages, id);
	enum err e;

	if (m != NULL) {
		if (m->is_gone)
			return ERR_NOT_FOUND;
		*out = m;
		return OK;
	}
	if ((e = read_message(s, id, &m)) != OK)
		return e;
	if ((e = map_u64_add(&s->messages, id, m)) != OK) {
		free(m);
		return e;
	}
	*out = m;
	return OK;
}

static enum err
read_unit(struct store *s, uint64_t id, uint32_t number, struct unit **out)
{
	struct store_row_key key = store_row_key_unit(id, number);
	struct span k = span_of(key.p, key.n), value;
	enum err e = store_index_begin(s->index);

	if (e != OK)
		return e;
	e = store_index_get(s->index, STORE_TABLE_UNIT, k, &value);
	if (e == OK)
		e = store_row_get_unit(k, value, out);
	store_index_end(s->index);
	if (e == ERR_CORRUPT)
		store_notice(s, "index-damage", "row of message %s "
		    "unit %u", store_id_text(id).p, number);
	return e;
}

/* As the index has it: what is held is sorted behind all times. */
static uint64_t
due_key_of(const struct unit *u)
{
	return u->pub.due_at |
	    (u->pub.message->is_held ? STORE_DUE_HELD : 0);
}

enum err
store_memory_load_unit(struct store *s, struct message *m, uint32_t number,
    struct unit **out)
{
	struct unit *u;
	enum err e;

	if (number >= m->pub.unit_count)
		return ERR_NOT_FOUND;
	u = m->units[number];
	if (u != NULL) {
		if (u->is_gone)
			return ERR_NOT_FOUND;
		*out = u;
		return OK;
	}
	if ((e = read_unit(s, m->pub.id, number, &u)) != OK)
		return e;
	u->pub.message = &m->pub;
	u->is_ours = true;
	u->now.has = true;
	u->now.due = due_key_of(u);
	m->units[number] = u;
	m->units_here++;
	s->more_here += u->pub.count - 1;
	*out = u;
	return OK;
}

enum err
store_memory_load_all(struct store *s, struct message *m)
{
	struct unit *u;

	for (uint32_t i = 0; i < m->pub.unit_count; i++) {
		enum err e = store_memory_load_unit(s, m, i, &u);

		if (e != OK && e != ERR_NOT_FOUND && e != ERR_CORRUPT)
			return e;
	}
	return OK;
}

/* ---- the end ---- */

/* Its content need not be kept in memory any more. */
static void
let_content_go(struct store *s, struct message *m)
{
	if (m->group != 0)
		store_cache_let_go(&s->cache, m->group);
	m->group = 0;
}

static void
message_free(struct store *s, struct message *m)
{
	let_content_go(s, m);
	store_overlay_forget_message(&s->overlay, m);
	list_remove(&m->born);
	list_remove(&m->fresh);
	list_remove(&m->held);
	MUST(map_u64_remove(&s->messages, m->pub.id) == m);
	free(m);
}

void
store_memory_release(struct store *s, struct message *m)
{
	if (m->units_here == 0 && m->refs == 0 && !list_is_linked(&m->dirty) &&
	    !list_is_linked(&m->frozen))
		message_free(s, m);
}

/* Without looking at what becomes of the message. */
static void
unit_free(struct store *s, struct unit *u)
{
	struct message *m = store_memory_message(u->pub.message);

	m->units[u->pub.number] = NULL;
	m->units_here--;
	s->more_here -= u->pub.count - 1;
	store_overlay_forget_unit(&s->overlay, u);
	free(u->words);
	u->words = NULL;
	if (u->is_separate)
		free(u);
}

void
store_memory_drop_unit(struct store *s, struct unit *u)
{
	struct message *m = store_memory_message(u->pub.message);

	unit_free(s, u);
	store_memory_release(s, m);
}

/* It counts no more: neither in the figures nor as a reason for its segment. */
static void
leave(struct store *s, struct message *m)
{
	struct store_segment *seg;

	s->count.messages--;
	s->count.bytes -= store_message_size(&m->pub);
	if (m->pub.place.is_file)
		store_bodies_bury(s, m);
	if (!m->is_placed)
		return;
	seg = store_segments_find(&s->segments, m->pub.place.segment);
	if (seg != NULL && seg->messages > 0) {
		seg->messages--;
		seg->live_bytes -= m->record_bytes;
		seg->is_dirty = true;
	}
}

/* It has a row, or gets one by what is frozen: that must go again. */
void
store_memory_bury_unit(struct store *s, struct unit *u)
{
	if (u->now.has || list_is_linked(&u->frozen)) {
		u->is_gone = true;
		store_overlay_unit(&s->overlay, u);
	} else {
		unit_free(s, u);
	}
}

void
store_memory_unit_over(struct store *s, struct unit *u)
{
	struct message *m = store_memory_message(u->pub.message);

	s->count.units--;
	m->units_left--;
	store_memory_bury_unit(s, u);
	if (m->units_left > 0) {
		store_overlay_message(&s->overlay, m);
		return;
	}
	leave(s, m);
	let_content_go(s, m);
	m->is_gone = true;
	list_remove(&m->fresh);
	if (m->has_row || list_is_linked(&m->frozen))
		store_overlay_message(&s->overlay, m);
	else
		store_overlay_forget_message(&s->overlay, m);
	store_memory_release(s, m);
}

/* Refused by a rescue: whoever waits for it is told, so no trace may stay. */
void
store_memory_unborn(struct store *s, struct message *m)
{
	s->count.recipients -= m->pub.left;
	s->count.units -= m->units_left;
	if (!m->is_gone)
		leave(s, m);
	for (uint32_t i = 0; i < m->pub.unit_count; i++) {
		if (m->units[i] != NULL)
			unit_free(s, m->units[i]);
	}
	message_free(s, m);
}

/* ---- another state ---- */

void
store_memory_leave(struct store *s, struct message *m)
{
	if (m->is_gone)
		return;
	s->count.units -= m->units_left;
	s->count.recipients -= m->pub.left;
	leave(s, m);
}

/* The store's own, as all that a replay makes. */
void
store_memory_put_unit(struct store *s, struct message *m, struct unit *fresh)
{
	struct unit *old = m->units[fresh->pub.number];

	if (old != NULL) {
		fresh->now = old->now;
		fresh->next = old->next;
		unit_free(s, old);
	}
	fresh->pub.message = &m->pub;
	fresh->is_ours = true;
	m->units[fresh->pub.number] = fresh;
	m->units_here++;
	s->more_here += fresh->pub.count - 1;
	store_overlay_unit(&s->overlay, fresh);
}

void
store_memory_return(struct store *s, struct message *m)
{
	m->is_gone = false;
	s->count.messages++;
	s->count.units += m->units_left;
	s->count.recipients += m->pub.left;
	s->count.bytes += store_message_size(&m->pub);
	if (!m->has_row && !list_is_linked(&m->fresh))
		add_fresh(s, m);
	store_overlay_message(&s->overlay, m);
}

void
store_memory_end(struct store *s, struct message *m)
{
	m->refs++;
	s->count.recipients -= m->pub.left;
	m->pub.left = 0;
	for (uint32_t i = 0; i < m->pub.unit_count; i++) {
		if (m->units[i] != NULL && !m->units[i]->is_gone)
			store_memory_unit_over(s, m->units[i]);
	}
	m->refs--;
	store_memory_release(s, m);
}

void
store_memory_clear(struct store *s)
{
	struct message *m;
	size_t cursor = 0;

	while ((m = map_u64_next(&s->messages, &cursor)) != NULL) {
		for (uint32_t i = 0; i < m->pub.unit_count; i++) {
			if (m->units[i] != NULL)
				unit_free(s, m->units[i]);
		}
		message_free(s, m);
	}
	map_u64_clear(&s->messages);
}
