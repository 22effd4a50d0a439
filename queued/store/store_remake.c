/*
 * A moved record is the whole truth about its message at its place in the log.
 * As a rule the replay has come to the same; but it may have begun behind what
 * the message was before, or verdicts that settle nobody may be gone with
 * their segment.  So everything is taken from the record.
 *
 * The rows are decoded before anything is changed: a record that contradicts
 * itself leaves its message as it was.
 */
#include "queued/store/store_remake.h"

#include "common/mail/envelope.h"
#include "queued/store/store_memory.h"
#include "queued/store/store_row.h"

#include <stdlib.h>

/* ---- what the record says ---- */

static void
free_units(struct list *units)
{
	struct list *link;

	while ((link = list_take_first(units)) != NULL)
		free(CONTAINER_OF(link, struct unit, frozen));
}

/* Its units, hung up by `frozen' for the moment; *LEFT recipients. */
static enum err
read_units(const struct store_record *r, const struct store_record_moved *f,
    struct list *units, uint32_t *left)
{
	struct span rest = f->rows;
	uint64_t next = 0, sum = 0;

	for (uint32_t i = 0; i < f->row_count; i++) {
		uint32_t number;
		struct span row = store_record_next_row(&rest, &number);
		struct store_row_key key =
		    store_row_key_unit(r->id, number);
		struct unit *u;
		enum err e = store_row_get_unit(span_of(key.p, key.n), row,
		    &u);

		if (e != OK)
			return e;
		list_add_last(units, &u->frozen);
		/* ascending, so none stands there twice */
		if (number < next)
			return ERR_CORRUPT;
		next = (uint64_t)number + 1;
		sum += u->pub.left;
	}
	if (sum > f->recipients || f->recipients > ENVELOPE_RCPT_COUNT_MAX)
		return ERR_CORRUPT;
	*left = (uint32_t)sum;
	return OK;
}

/* In memory under its id, of no effect yet. */
static enum err
make(struct store *s, const struct store_record *r,
    const struct store_record_moved *f, struct message **out)
{
	struct message probe, *m;
	struct envelope envelope;
	enum err e;

	if (envelope_check(f->message.envelope, &envelope) != OK ||
	    envelope.rcpt_count != 0)
		return ERR_CORRUPT;
	memset(&probe, 0, sizeof(probe));
	probe.pub.id = r->id;
	probe.pub.envelope = f->message.envelope;
	probe.pub.sender = envelope.sender;
	probe.pub.unit_count = f->message.unit_count;
	probe.is_gone = true;
	if ((e = store_object_message(&probe, &m)) != OK)
		return e;
	if ((e = map_u64_add(&s->messages, r->id, m)) != OK) {
		free(m);
		return e;
	}
	*out = m;
	return OK;
}

/* In memory, if need be from the index, even as a tombstone. */
static enum err
find(struct store *s, const struct store_record *r, struct message **out)
{
	struct message *m = map_u64_get(&s->messages, r->id);

	if (m == NULL)
		return store_memory_load(s, r->id, out);
	*out = m;
	return OK;
}

/* ---- the change ---- */

static void
fill(struct message *m, const struct store_record *r,
    const struct store_record_moved *f)
{
	struct store_message *p = &m->pub;

	p->arrived_at = f->message.arrived_at;
	p->place.trace_bytes = f->message.trace_bytes;
	p->place.is_file = f->message.is_file;
	p->place.body_bytes = f->message.body_bytes;
	p->content_flags = f->message.content_flags;
	p->is_report = f->message.is_report;
	p->is_held = f->is_held;
	p->is_warned = f->is_warned;
	p->is_quarantined = f->is_quarantined;
	p->is_released = f->is_released;
	p->recipients = f->recipients;
	p->list = f->message.list;
	m->content_crc = r->content_crc;
	m->file_crc = f->message.file_crc;
	m->record_bytes = (uint32_t)r->size;
	m->generation = r->generation;
}

/* Units that the record does not mention are settled. */
static void
change_units(struct store *s, struct message *m, struct list *units)
{
	struct list *link;

	for (uint32_t i = 0; i < m->pub.unit_count; i++) {
		struct unit *u = m->units[i];

		link = list_first(units);
		if (link != NULL && CONTAINER_OF(link, struct unit,
		    frozen)->pub.number == i) {
			list_remove(link);
			store_memory_put_unit(s, m,
			    CONTAINER_OF(link, struct unit, frozen));
		} else if (u != NULL && !u->is_gone) {
			store_memory_bury_unit(s, u);
		}
	}
}

/* All units are here, so that their rows in the index are known. */
static void
change(struct store *s, struct message *m, struct store_segment *seg,
    const struct store_record *r, const struct store_record_moved *f,
    uint64_t offset, struct list *units, uint32_t left)
{
	m->refs++;
	store_memory_leave(s, m);
	fill(m, r, f);
	change_units(s, m, units);
	m->pub.left = store_is_list(&m->pub) ? m->pub.list.total -
	    m->pub.list.count : left;
	m->units_left = f->row_count;
	m->pub.place.segment = seg->number;
	m->pub.place.offset = offset;
	m->is_placed = true;
	seg->messages++;
	seg->live_bytes += m->record_bytes;
	seg->is_dirty = true;
	store_memory_return(s, m);
	m->refs--;
}

enum err
store_remake(struct store *s, struct store_segment *seg,
    const struct store_record *r, const struct store_record_moved *fields,
    uint64_t offset, uint64_t *old)
{
	struct message *m = NULL;
	struct list units;
	uint32_t left = 0;
	enum err e;

	*old = 0;
	list_init(&units);
	e = read_units(r, fields, &units, &left);
	if (e == OK)
		e = find(s, r, &m);
	if (e == ERR_NOT_FOUND)
		e = make(s, r, fields, &m);
	else if (e == OK && (r->generation <= m->generation ||
	    m->pub.unit_count != fields->message.unit_count))
		/* nothing new; then the counts agree, or it is damage */
		e = r->generation <= m->generation ? ERR_EXISTS : ERR_CORRUPT;
	if (e == OK)
		e = store_memory_load_all(s, m);
	if (e == OK) {
		*old = m->is_placed ? m->pub.place.segment : 0;
		change(s, m, seg, r, fields, offset, &units, left);
	} else if (m != NULL) {
		store_memory_release(s, m);
	}
	free_units(&units);
	return e == ERR_EXISTS ? OK : e;
}

enum err
store_remake_none(struct store *s, const struct store_record *r,
    uint64_t *old)
{
	struct message *m;
	enum err e = store_memory_load(s, r->id, &m);

	*old = 0;
	if (e != OK)
		return e == ERR_NOT_FOUND ? OK : e;
	if (r->generation <= m->generation) {
		store_memory_release(s, m);
		return OK;
	}
	if ((e = store_memory_load_all(s, m)) != OK)
		return e;
	*old = m->pub.place.segment;
	m->generation = r->generation;
	store_memory_end(s, m);
	return OK;
}
