/*
 * Records name no place in the log, so they are carried over as they are, in
 * the order of the log: verdicts that were written only, the groups not synced,
 * the open group.  Of failed groups clients' messages are left out, with all
 * that is said about them; reports are kept, for their verdicts are (I-02).
 *
 * Clients are refused only when the seal is synced: before that, a crash could
 * bring the failed group back, and with it a message that was refused (I-03).
 */
#include "queued/store/store_rescue.h"

#include "common/os/clock.h"
#include "queued/store/store_group.h"
#include "queued/store/store_memory.h"
#include "queued/store/store_move.h"

#include <stdlib.h>

/* What is carried over into the new open group. */
struct carry {
	struct store *s;
	struct store_group_buf *to;
	bool may_refuse;		/* failed groups; not the open one */
	size_t refused_size;
	struct map_u64 refused;		/* a mark by id */
	enum err e;
};

/* Told once.  From here on nothing is answered: whoever waits for a reply finds
 * the connection closed, and asks by token after the restart. */
void
store_rescue_die(struct store *s, enum err why)
{
	if (s->is_dead)
		return;
	s->is_dead = true;
	store_notice(s, "spool-dead", "the log can't be written: %s",
	    err_text(why));
	s->ops.on_dead(s->ctx);
}

static bool
is_refused(const struct carry *c, uint64_t id)
{
	return map_u64_get(&c->refused, id) != NULL;
}

/* Remembers whom to refuse in store_rescue_end(). */
static enum err
refuse(struct carry *c, uint64_t token, uint64_t id)
{
	struct store_log *l = &c->s->log;

	if (l->refused_count == c->refused_size) {
		size_t size = c->refused_size > 0 ? c->refused_size * 2 : 64;
		struct store_refused *p =
		    realloc(l->refused, size * sizeof(*p));

		if (p == NULL)
			return ERR_NOMEM;
		l->refused = p;
		c->refused_size = size;
	}
	l->refused[l->refused_count++] =
	    (struct store_refused){ .token = token, .id = id };
	return map_u64_add(&c->refused, id, l);
}

/* It counted where it failed to be written. */
static void
unplace(struct store *s, struct message *m)
{
	struct store_segment *seg =
	    store_segments_find(&s->segments, m->pub.place.segment);

	if (!m->is_placed)
		return;
	m->is_placed = false;
	if (m->group != 0)
		store_cache_let_go(&s->cache, m->group);
	m->group = 0;
	if (seg == NULL)
		return;
	seg->messages--;
	seg->live_bytes -= m->record_bytes;
	seg->is_dirty = true;
}

/* A message that stays is born again: its place is known at the hand-over. */
static enum err
carry_message(struct carry *c, const struct store_record *r)
{
	struct message *m = store_memory_find(c->s, r->id);
	struct store_record_message fields;

	if (store_record_get_message(r->fields, &fields) != OK)
		return ERR_CORRUPT;
	if (c->may_refuse && m != NULL)
		unplace(c->s, m);
	if (c->may_refuse && fields.token != 0)
		return refuse(c, fields.token, r->id);
	if (m != NULL) {
		list_remove(&m->born);
		m->group_offset = (uint32_t)(c->to->bytes.n +
		    (r->size - r->content.n));
		list_add_last(&c->to->born, &m->born);
	}
	return OK;
}

static void
carry_records(struct carry *c, struct span records)
{
	struct store_record r;

	while (records.n > 0 && c->e == OK) {
		const uint8_t *start = records.p;

		if ((c->e = store_record_next(&records, &r)) != OK)
			return;
		if (r.type == STORE_RECORD_MESSAGE)
			c->e = carry_message(c, &r);
		else if (r.type == STORE_RECORD_MOVED)
			store_move_carry(c->s, r.id, c->to, c->to->bytes.n +
			    (r.size - r.content.n));
		if (c->e != OK || is_refused(c, r.id))
			continue;
		buf_add(&c->to->bytes, start, r.size);
		if (buf_failed(&c->to->bytes))
			c->e = ERR_NOMEM;
	}
}

/* BYTES: of its records, without tail and padding. */
static void
carry_group(struct carry *c, const struct store_group_buf *g, size_t bytes)
{
	for (size_t i = 0; i < g->settles.n && c->e == OK; i++)
		c->e = store_numbers_add(&c->to->settles, g->settles.p[i]);
	carry_records(c, span_of(g->bytes.p + STORE_GROUP_HEAD, bytes));
}

/* In the order in which they were appended, or a verdict could precede its
 * message. */
static void
carry_all(struct carry *c)
{
	struct store_log *l = &c->s->log;
	struct list *link;

	for (size_t i = 0; i < l->loose_settles.n && c->e == OK; i++)
		c->e = store_numbers_add(&c->to->settles,
		    l->loose_settles.p[i]);
	carry_records(c, buf_span(&l->loose));
	for (link = list_first(&l->unsynced); link != NULL;
	    link = list_next(&l->unsynced, link)) {
		const struct store_group_buf *g =
		    CONTAINER_OF(link, struct store_group_buf, link);

		carry_group(c, g, g->records_bytes);
	}
	c->may_refuse = false;
	carry_group(c, l->open, l->open->bytes.n - STORE_GROUP_HEAD);
}

/* The failed groups' buffers go; TO is the open group from now on. */
static void
replace_groups(struct store *s, struct store_group_buf *to)
{
	struct store_log *l = &s->log;
	struct list *link;

	while ((link = list_take_first(&l->unsynced)) != NULL) {
		struct store_group_buf *g =
		    CONTAINER_OF(link, struct store_group_buf, link);

		/* has some only if the rescue failed on its way */
		store_move_drop(g);
		store_cache_give_back(&s->cache, g);
	}
	buf_reset(&l->loose);
	l->loose_settles.n = 0;
	store_move_drop(l->open);
	store_cache_give_back(&s->cache, l->open);
	l->open = to;
}

void
store_rescue_begin(struct store *s, enum err why)
{
	struct store_log *l = &s->log;
	struct carry c = { .s = s, .may_refuse = true };

	if (l->is_rescuing || s->is_dead) {
		store_rescue_die(s, why);
		return;
	}
	store_notice(s, "write-failed", "segment %ju at %ju: %s",
	    (uintmax_t)l->end.segment, (uintmax_t)l->synced.offset,
	    err_text(why));
	/* what was frozen may stand at a group that failed */
	store_overlay_thaw(s);
	l->is_rescuing = true;
	l->refused_count = 0;
	if ((c.to = store_cache_take(&s->cache)) == NULL) {
		store_rescue_die(s, ERR_NOMEM);
		return;
	}
	map_u64_init(&c.refused, &s->seed);
	carry_all(&c);
	map_u64_clear(&c.refused);
	c.to->needs_sync = true;
	replace_groups(s, c.to);
	if (c.e != OK) {
		store_rescue_die(s, c.e);
		return;
	}
	/* without a spare, or memory, it waits as an open group does: it is
	 * tried again with each flush, and mail is refused meanwhile */
	store_log_hand_over(s, clock_mono_ms(), true);
}

void
store_rescue_end(struct store *s)
{
	struct store_log *l = &s->log;

	l->is_rescuing = false;
	for (size_t i = 0; i < l->refused_count; i++) {
		const struct store_refused *r = &l->refused[i];
		struct message *m = map_u64_get(&s->messages, r->id);

		s->ops.on_refused(s->ctx, r->token, r->id);
		if (m != NULL)
			store_memory_unborn(s, m);
	}
	free(l->refused);
	l->refused = NULL;
	l->refused_count = 0;
	store_notice(s, "write-rescued", "the log goes on in segment %ju",
	    (uintmax_t)l->end.segment);
}
