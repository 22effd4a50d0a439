/*
 * The log, record by record.
 *
 * A message that the log has, up to the index's position, is in the index or
 * settled by verdicts.  So messages without a row wait in a map for verdicts
 * on all their recipients; who still waits at the end is lost.  Messages of
 * segments that the newest list calls dead are done with.
 */
#include "common/mail/envelope.h"
#include "queued/store/store_dead.h"
#include "queued/store/store_list.h"
#include "queued/store/store_pieces.h"
#include "queued/survey/survey_check.h"

#include <stdlib.h>

/* A count of recipients as the map's object. */
static void *
count_of(uint32_t n)
{
	return (void *)(uintptr_t)n;
}

static bool
is_dead(const struct survey *s, uint64_t segment)
{
	for (size_t i = 0; i < s->dead.n; i++)
		if (s->dead.p[i] == segment)
			return true;
	return false;
}

/* ---- messages ---- */

/* Whether it says the same of itself everywhere: size and units. */
static bool
is_consistent(const struct store_record *r,
    const struct store_record_message *m, const struct envelope *e)
{
	uint64_t inside = m->trace_bytes + (m->is_file ? 0 : m->body_bytes);

	return r->content.n == inside && e->rcpt_count > 0 &&
	    m->unit_count <= e->rcpt_count && (m->unit_count == 1 ||
	    m->unit_of.n == (size_t)e->rcpt_count * sizeof(uint32_t));
}

static void
wait_for(struct survey *s, uint64_t id, uint32_t recipients)
{
	enum err e = map_u64_add(&s->waiting, id, count_of(recipients));

	if (e == ERR_NOMEM)
		s->failure = e;
}

/* The index does not have it: verdicts must. */
static bool
is_unknown(struct survey *s, uint64_t id)
{
	return s->is_copy || (s->index != NULL && !survey_has_message(s, id));
}

static void
check_message(struct survey *s, const struct survey_place *at,
    const struct store_record *r, bool is_known, bool is_over)
{
	struct store_record_message m;
	struct envelope e;

	if (store_record_get_message(r->fields, &m) != OK ||
	    envelope_check(m.envelope, &e) != OK ||
	    !is_consistent(r, &m, &e)) {
		survey_damage(&s->report, *at, "the record of this message "
		    "contradicts itself");
		return;
	}
	if (!is_known) {
		if (m.is_file)
			(void)map_u64_add(&s->fresh_files, m.list.id != 0 ?
			    m.list.id : r->id, count_of(1));
		return;
	}
	if (is_over || !is_unknown(s, r->id))
		return;
	wait_for(s, r->id, e.rcpt_count);
	if (s->is_copy)
		survey_note_body(s, r->id, &m);
}

/* All that is left of the message, whatever older records said; in a segment
 * that is dead: nothing. */
static void
check_moved(struct survey *s, const struct survey_place *at,
    const struct store_record *r, bool is_known, bool is_over)
{
	struct store_record_moved m;
	uint64_t left = 0;
	struct span rest;
	uint32_t number;
	enum err e = store_record_get_moved(r->fields, &m);

	if (e == OK)
		rest = m.rows;
	for (uint32_t i = 0; e == OK && i < m.row_count; i++) {
		struct span row = store_record_next_row(&rest, &number);
		struct store_row_key key = store_row_key_unit(r->id, number);
		struct unit *u;

		e = store_row_get_unit(span_of(key.p, key.n), row, &u);
		if (e != OK)
			break;
		left += u->pub.left;
		free(u);
	}
	if (e != OK || left == 0 || left > m.recipients) {
		survey_damage(&s->report, *at, "the moved record of this "
		    "message contradicts itself");
		return;
	}
	if (!is_known && m.message.is_file)
		(void)map_u64_add(&s->fresh_files, m.message.list.id != 0 ?
		    m.message.list.id : r->id, count_of(1));
	if (!is_known)
		return;
	(void)map_u64_remove(&s->waiting, r->id);
	if (is_over || !is_unknown(s, r->id))
		return;
	wait_for(s, r->id, (uint32_t)left);
	if (s->is_copy)
		survey_note_body(s, r->id, &m.message);
}

/* ---- verdicts ---- */

static void
take_verdict(struct survey *s, uint64_t id, const struct store_verdict *v)
{
	uintptr_t left = (uintptr_t)map_u64_get(&s->waiting, id);
	uintptr_t settled = 0;

	if (left == 0)
		return;
	for (size_t i = 0; i < v->count; i++)
		if (v->results[i].is_settled)
			settled += v->results[i].last - v->results[i].first +
			    1;
	if (settled == 0)
		return;
	(void)map_u64_remove(&s->waiting, id);
	if (settled < left)
		wait_for(s, id, (uint32_t)(left - settled));
}

static void
check_verdict(struct survey *s, const struct survey_place *at,
    const struct store_record *r)
{
	struct store_verdict v;
	uint32_t unit;

	if (store_record_get_verdict(r->fields, &unit, s->results, &v) != OK)
		survey_damage(&s->report, *at, "a verdict on this message "
		    "contradicts itself");
	else
		take_verdict(s, r->id, &v);
}

/* ---- all records ---- */

/* IS_KNOWN: the index says that it has it. */
static void
check_record(struct survey *s, const struct survey_place *at,
    const struct store_record *r, bool is_known, bool is_over)
{
	uint64_t value;
	uint32_t unit;
	bool is_held;
	enum err e = OK;

	s->count.records++;
	switch ((enum store_record_type)r->type) {
	case STORE_RECORD_MESSAGE:
		check_message(s, at, r, is_known, is_over);
		return;
	case STORE_RECORD_VERDICT:
		check_verdict(s, at, r);
		return;
	case STORE_RECORD_LEASE:
	case STORE_RECORD_RESCHEDULE:
		e = store_record_get_unit(r->fields, &unit, &value);
		break;
	case STORE_RECORD_HOLD:
		e = store_record_get_hold(r->fields, &is_held);
		break;
	case STORE_RECORD_DEAD:
		e = r->fields.n % 8 == 0 ? OK : ERR_CORRUPT;
		break;
	case STORE_RECORD_MOVED:
		check_moved(s, at, r, is_known, is_over);
		return;
	case STORE_RECORD_BEGUN:
		e = store_list_get_begun(r->fields, &value, &unit);
		break;
	case STORE_RECORD_DESTINATION:
	default:
		if ((r->flags & STORE_RECORD_SKIPPABLE) == 0)
			survey_damage(&s->report, *at, "a record of type %u, "
			    "which this version does not know", r->type);
		return;
	}
	if (e != OK)
		survey_damage(&s->report, *at, "a record of type %u "
		    "contradicts itself", r->type);
}

/* Up to the index's position, that is. */
static bool
is_known(const struct survey *s, uint64_t sequence)
{
	return s->is_copy ||
	    (s->has_meta && sequence <= s->meta.at.sequence);
}

static void
on_group(void *ctx, const struct survey_segment *seg, struct span group,
    const struct store_group_head *head)
{
	struct survey *s = ctx;
	struct span records = store_group_records(group, head);
	struct survey_place at = { .segment = seg->number };
	struct store_record r;

	s->count.groups++;
	s->count.log_bytes += store_group_size(head);
	if (head->start > s->start)
		s->start = head->start;
	if (s->has_gap)
		survey_note_lost(s, s->gap_after, head->sequence);
	s->has_gap = false;
	while (records.n > 0 && s->failure == OK) {
		at.offset = head->offset + (uint64_t)(records.p - group.p);
		if (store_record_next(&records, &r) != OK)
			break;
		at.id = r.id;
		check_record(s, &at, &r, is_known(s, head->sequence),
		    is_dead(s, seg->number));
	}
	survey_progress(&s->report, store_group_size(head));
}

/* ---- damage ---- */

/* One line for each record that can't be used, by message if possible.  In a
 * copy the others count, as they do at a start. */
static uint64_t
name_pieces(struct survey *s, const struct survey_gap *gap)
{
	struct survey_place at = { .segment = gap->segment };
	struct store_pieces p;
	struct store_record r;
	uint64_t named = 0;
	bool is_sound, goes_on;

	store_pieces_init(&p, gap->content);
	do {
		goes_on = store_pieces_next(&p, &r, &is_sound);
		if (p.has_gap) {
			at.offset = gap->offset + p.gap_at;
			at.id = p.gap_id;
			survey_damage(&s->report, at,
			    "a record can't be read");
			p.has_gap = false;
			named++;
		}
		if (!goes_on)
			continue;
		at.offset = gap->offset +
		    (uint64_t)(r.content.p - p.group.p);
		at.id = r.id;
		if (s->is_copy)
			check_record(s, &at, &r, true,
			    is_dead(s, gap->segment));
		if (is_sound)
			continue;
		survey_damage(&s->report, at, "its content is damaged");
		named++;
	} while (goes_on);
	return named;
}

static void
on_gap(void *ctx, const struct survey_segment *seg,
    const struct survey_gap *gap)
{
	struct survey *s = ctx;
	struct survey_place at = { gap->segment, gap->offset, 0 };

	(void)seg;
	survey_progress(&s->report, gap->bytes);
	if (gap->is_tail) {
		survey_note(&s->report, at, "the last group is not whole: it "
		    "was being written, or is damaged");
		return;
	}
	s->has_gap = true;
	s->gap_after = s->log.at.sequence;
	if (gap->content.n == 0)
		survey_damage(&s->report, at, "%ju bytes can't be read from "
		    "the disk", (uintmax_t)gap->bytes);
	else if (name_pieces(s, gap) == 0)
		survey_damage(&s->report, at, "the frame of a group is "
		    "damaged, %ju bytes; its records can be read",
		    (uintmax_t)gap->bytes);
}

static void
on_leap(void *ctx, const struct survey_segment *seg,
    const struct store_group_head *head, uint64_t before)
{
	struct survey *s = ctx;

	survey_note_lost(s, before, head->sequence);
	survey_damage(&s->report, (struct survey_place){ seg->number,
	    head->offset, 0 }, "the group here, number %ju, does not follow "
	    "number %ju", (uintmax_t)head->sequence, (uintmax_t)before);
}

static const struct survey_log_ops ops = { on_group, on_gap, on_leap };

/* ---- the whole ---- */

static void
on_first(void *ctx, const struct survey_segment *seg, struct span group,
    const struct store_group_head *head)
{
	struct survey *s = ctx;

	(void)seg;
	(void)store_dead_read(store_group_records(group, head), &s->dead);
}

/* The list in the newest segment counts; older ones said less. */
static void
read_dead(struct survey *s)
{
	static const struct survey_log_ops only = { on_first, on_gap,
	    on_leap };
	size_t row = s->log.n;

	while (row > 0 && !(s->log.rows[row - 1].counts &&
	    s->log.rows[row - 1].is_known))
		row--;
	if (row > 0)
		s->failure = survey_log_first(&s->log, row - 1, &only, s);
}

/* Segments that do not count were begun and failed, or what they held is void
 * by the seal of the next. */
static void
note_void(struct survey *s)
{
	for (size_t i = 0; i < s->log.n; i++) {
		const struct survey_segment *seg = &s->log.rows[i];

		s->count.segments += seg->counts;
		if (!seg->counts)
			survey_note(&s->report, (struct survey_place){
			    seg->number, 0, 0 }, "this segment does not "
			    "count: no group follows it");
		else if (!seg->is_known)
			survey_damage(&s->report, (struct survey_place){
			    seg->number, 0, 0 }, "the first group, which "
			    "seals the segment before it, is damaged");
	}
}

void
survey_read_log(struct survey *s)
{
	note_void(s);
	read_dead(s);
	if (s->failure == OK)
		s->failure = survey_log_walk(&s->log, &ops, s);
}

/* ---- what came meanwhile ---- */

static void
on_later_group(void *ctx, const struct survey_segment *seg,
    struct span group, const struct store_group_head *head)
{
	struct survey *s = ctx;
	struct span records = store_group_records(group, head);
	struct store_record r;
	struct store_verdict v;
	uint32_t unit;

	(void)seg;
	if (head->sequence <= s->meta.at.sequence)
		return;
	while (records.n > 0 && store_record_next(&records, &r) == OK)
		if (r.type == STORE_RECORD_VERDICT &&
		    store_record_get_verdict(r.fields, &unit, s->results,
		    &v) == OK)
			take_verdict(s, r.id, &v);
}

static void
ignore_gap(void *ctx, const struct survey_segment *seg,
    const struct survey_gap *gap)
{
	(void)ctx;
	(void)seg;
	(void)gap;
}

static void
ignore_leap(void *ctx, const struct survey_segment *seg,
    const struct store_group_head *head, uint64_t before)
{
	(void)ctx;
	(void)seg;
	(void)head;
	(void)before;
}

/* A message that the index did not have any more was settled at a place that
 * the index has reached. */
enum err
survey_follow(struct survey *s)
{
	static const struct survey_log_ops later = { on_later_group,
	    ignore_gap, ignore_leap };
	struct store_meta now;
	struct survey_log l;
	enum err e = store_index_begin(s->index);

	if (e != OK)
		return e;
	e = survey_read_meta(s, &now);
	store_index_end(s->index);
	if (e != OK)
		return e;
	e = survey_log_open(&l, s->spool, s->log_fd, &now.at);
	for (size_t i = 0; i < l.n; i++)
		if (l.rows[i].number < s->meta.at.segment)
			l.rows[i].counts = false;
	if (e == OK)
		e = survey_log_walk(&l, &later, s);
	survey_log_clear(&l);
	return e;
}

void
survey_settle_waiting(struct survey *s)
{
	size_t cursor = 0;
	void *left;
	uint64_t id;

	while ((left = map_u64_next_key(&s->waiting, &cursor, &id)) != NULL)
		survey_damage(&s->report, (struct survey_place){ .id = id },
		    "the log has it and no verdict on %ju of its recipients, "
		    "but the index does not have it",
		    (uintmax_t)(uintptr_t)left);
}
