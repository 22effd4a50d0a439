#include "queued/store/store_scan.h"

#include "queued/store/store_build.h"
#include "queued/store/store_dead.h"
#include "queued/store/store_group.h"
#include "queued/store/store_index_build.h"
#include "queued/store/store_pieces.h"
#include "queued/store/store_replay.h"

#include <stdlib.h>

/* In memory, of a message or a unit, about. */
enum { OBJECT_BYTES = 512 };

/* What the first group of a segment says of the one before. */
struct store_seal {
	bool counts;			/* the segment is part of the log */
	bool is_known;			/* its first group could be read */
	bool has_groups;		/* else: a later one could */
	uint64_t previous;
	uint64_t length;
};

/* ---- reading groups ---- */

/* The group at OFFSET into r->group; ERR_CORRUPT when there is none.  ERR_IO,
 * when the disk does not give it, ends the start: what can't be read now may be
 * there, and must not be taken for the end of the log (I-01). */
static enum err
read_group(struct store_scan *r, struct store_segment *seg, uint64_t offset,
    struct store_group_head *head, uint32_t *sum)
{
	size_t size;
	uint8_t *p;
	enum err e;
	int fd;

	if ((e = store_segments_open(&r->s->segments, seg, &fd)) != OK)
		return e;
	buf_reset(&r->group);
	if ((p = buf_reserve(&r->group, STORE_BLOCK)) == NULL)
		return ERR_NOMEM;
	if (offset + STORE_BLOCK > seg->bytes)
		return ERR_CORRUPT;
	if ((e = store_io_read(fd, p, STORE_BLOCK, offset)) != OK)
		return e;
	e = store_group_get_head(span_of(p, STORE_BLOCK), head);
	if (e != OK)
		return e;
	size = store_group_size(head);
	if (head->segment != seg->number || head->offset != offset ||
	    offset + size > seg->bytes)
		return ERR_CORRUPT;
	if ((p = buf_reserve(&r->group, size)) == NULL)
		return ERR_NOMEM;
	e = store_io_read(fd, p + STORE_BLOCK, size - STORE_BLOCK,
	    offset + STORE_BLOCK);
	if (e != OK)
		return e;
	buf_commit(&r->group, size);
	return store_group_check(buf_span(&r->group), head, sum);
}

/* Whether it follows what was replayed. */
static bool
does_follow(const struct store_scan *r, const struct store_group_head *head)
{
	return r->is_loose || (head->sequence > r->at.sequence &&
	    head->chain == r->at.sum);
}

static bool
is_dead(const struct store_scan *r, uint64_t segment)
{
	for (size_t i = 0; i < r->dead.n; i++) {
		if (r->dead.p[i] == segment)
			return true;
	}
	return false;
}

/* The same bytes to the same place, so a crash meanwhile does no harm. */
static enum err
write_again(struct store_scan *r, const struct store_doubt *d)
{
	struct store *s = r->s;
	struct store_segment *seg =
	    store_segments_find(&s->segments, d->segment);
	uint8_t *p;
	enum err e;
	int fd;

	if (seg == NULL)
		return OK;
	buf_reset(&r->group);
	if ((p = buf_reserve(&r->group, (size_t)d->bytes)) == NULL)
		return ERR_NOMEM;
	if ((e = store_segments_open(&s->segments, seg, &fd)) != OK ||
	    (e = store_io_read(fd, p, (size_t)d->bytes, d->offset)) != OK)
		return e;
	return store_io_write(s->io, fd, p, (size_t)d->bytes, d->offset);
}

/* A sync that failed in a former life leaves pages that the kernel holds for
 * clean, though the disk has not got them: another sync would do nothing. */
static enum err
write_doubts(struct store_scan *r)
{
	enum err e = OK;

	for (size_t i = 0; i < r->doubt_count && e == OK; i++)
		e = write_again(r, &r->doubts[i]);
	return e;
}

enum err
store_scan_sync(struct store_scan *r)
{
	struct store *s = r->s;
	enum err e = write_doubts(r);

	for (size_t i = 0; i < s->segments.n && e == OK; i++) {
		struct store_segment *seg = s->segments.rows[i];
		int fd;

		if (seg->number < r->synced_from ||
		    seg->number > r->at.segment)
			continue;
		e = store_segments_open(&s->segments, seg, &fd);
		if (e == OK && s->io->fdatasync(s->io->ctx, fd) != 0)
			e = store_io_error();
	}
	/* what is a segment's name in memory only would be missing to an index
	 * that has its groups */
	if (e == OK && s->io->sync_dir(s->io->ctx, s->log_fd) != 0)
		e = store_io_error();
	if (e != OK)
		return e;
	r->synced_from = r->at.segment;
	r->doubt_count = 0;
	return OK;
}

/* Those that it vouches for are the first. */
static enum err
note_doubt(struct store_scan *r, const struct store_group_head *head)
{
	size_t sure = 0;

	while (sure < r->doubt_count &&
	    r->doubts[sure].sequence <= head->synced)
		sure++;
	r->doubt_count -= sure;
	if (sure > 0)
		memmove(r->doubts, r->doubts + sure,
		    r->doubt_count * sizeof(*r->doubts));
	if (r->doubt_count == r->doubt_size) {
		size_t size = r->doubt_size > 0 ? r->doubt_size * 2 : 16;
		struct store_doubt *p = realloc(r->doubts, size * sizeof(*p));

		if (p == NULL)
			return ERR_NOMEM;
		r->doubts = p;
		r->doubt_size = size;
	}
	r->doubts[r->doubt_count++] = (struct store_doubt){
	    .segment = head->segment, .offset = head->offset,
	    .bytes = store_group_size(head), .sequence = head->sequence };
	return OK;
}

/* Mail waits meanwhile: whoever looks at the log knows why, and how long. */
static void
tell_progress(const struct store_scan *r)
{
	const struct store *s = r->s;
	uint64_t all = s->segments.bytes > 0 ? s->segments.bytes : 1;
	uint64_t part = s->overlay.appended * 100 / all;

	store_notice(r->s, "index-replay", "%ju %% of the log are in the "
	    "index", (uintmax_t)(part < 100 ? part : 100));
}

/* More than replay_bytes of log are replayed in parts, so that memory is
 * bounded; a check-point never leaves as much behind.  A record of some bytes
 * may load a message. */
static bool
is_enough(const struct store_scan *r)
{
	const struct store *s = r->s;
	uint64_t most = s->replay_bytes;

	if (store_index_is_new(s->index) && most > STORE_BUILD_REPLAY)
		most = STORE_BUILD_REPLAY;
	return r->replayed + s->overlay.dirty * OBJECT_BYTES >= most;
}

static enum err
replay(struct store_scan *r, struct store_segment *seg,
    const struct store_group_head *head, uint32_t sum)
{
	struct store *s = r->s;
	size_t size = store_group_size(head);
	enum err e = store_replay_group(s, seg, is_dead(r, seg->number),
	    buf_span(&r->group), head);

	if (e == OK)
		e = note_doubt(r, head);
	if (e != OK)
		return e;
	if (head->start > s->start)
		s->start = head->start;
	r->at = (struct store_position){ .segment = seg->number,
	    .offset = head->offset + size, .sequence = head->sequence,
	    .sum = sum };
	r->is_loose = false;
	s->overlay.appended += size;
	r->replayed += size;
	if (!is_enough(r))
		return OK;
	r->replayed = 0;
	if ((e = store_scan_sync(r)) != OK ||
	    (e = store_overlay_apply_now(s, &r->at)) != OK)
		return e;
	tell_progress(r);
	return OK;
}

/* ---- damage ---- */

/* A later group from OFFSET on.  NEEDS_PROOF: only one that was written when
 * the group that should be here had been synced. */
static enum err
find_later(struct store_scan *r, struct store_segment *seg, uint64_t offset,
    uint64_t end, bool needs_proof, struct store_group_head *out)
{
	struct store_group_head head;
	uint8_t bytes[STORE_GROUP_HEAD];
	uint32_t sum;
	enum err e;
	int fd;

	if ((e = store_segments_open(&r->s->segments, seg, &fd)) != OK)
		return e;
	for (; offset + STORE_BLOCK <= end; offset += STORE_BLOCK) {
		e = store_io_read(fd, bytes, sizeof(bytes), offset);
		if (e == OK && store_group_get_head(span_of(bytes,
		    sizeof(bytes)), &head) != OK)
			continue;
		if (e == OK)
			e = read_group(r, seg, offset, &head, &sum);
		if (e != OK && e != ERR_CORRUPT)
			return e;
		if (e != OK || head.sequence <= r->at.sequence)
			continue;
		if (!needs_proof || head.synced > r->at.sequence) {
			*out = head;
			return OK;
		}
		r->has_tail = true;
	}
	return ERR_NOT_FOUND;
}

/* Whether P is of the group that should be at AT. */
static bool
is_expected(const struct store_scan *r, const struct store_pieces *p,
    uint64_t at)
{
	/* without a head only where a group must begin: anywhere else mail
	 * could have been made to look so */
	if (!p->has_head)
		return at == r->at.offset;
	return p->head.segment == r->at.segment && p->head.offset == at &&
	    p->head.sequence > r->at.sequence;
}

/* Records that can still be read between what was replayed and TO, which were
 * synced once: what they say was promised. */
static enum err
take_pieces(struct store_scan *r, uint64_t to)
{
	struct store_segment *seg = r->s->segments.rows[r->row];
	struct store_pieces p;
	enum err e = OK;
	struct buf b;
	int fd;

	if (store_segments_open(&r->s->segments, seg, &fd) != OK)
		return OK;
	buf_init(&b, STORE_GROUP_MAX);
	for (uint64_t at = r->at.offset; at < to && e == OK;) {
		uint64_t n = to - at < STORE_GROUP_MAX ? to - at :
		    STORE_GROUP_MAX;
		uint8_t *bytes;

		buf_reset(&b);
		if ((bytes = buf_reserve(&b, (size_t)n)) == NULL)
			e = ERR_NOMEM;
		else if (store_io_read(fd, bytes, (size_t)n, at) != OK)
			break;
		if (e != OK)
			break;
		store_pieces_init(&p, span_of(bytes, (size_t)n));
		if (is_expected(r, &p, at))
			e = store_replay_pieces(r->s, seg,
			    is_dead(r, seg->number), &p, at);
		if (p.has_head && p.head.start > r->s->start &&
		    is_expected(r, &p, at))
			r->s->start = p.head.start;
		at += p.has_head ? store_group_size(&p.head) : STORE_BLOCK;
	}
	buf_clear(&b);
	return e;
}

/* Goes on at HEAD, over what is damaged. */
static void
resync(struct store_scan *r, size_t row, const struct store_group_head *head)
{
	const struct store_segment *seg = r->s->segments.rows[row];

	store_notice(r->s, "log-damage", "segment %ju at %ju: groups %ju to "
	    "%ju can't be read; going on in segment %ju at %ju",
	    (uintmax_t)r->at.segment, (uintmax_t)r->at.offset,
	    (uintmax_t)r->at.sequence + 1, (uintmax_t)head->sequence - 1,
	    (uintmax_t)seg->number, (uintmax_t)head->offset);
	r->at = (struct store_position){ .segment = seg->number,
	    .offset = head->offset, .sequence = head->sequence - 1,
	    .sum = head->chain };
	r->row = row;
}

/* ---- the way through the log ---- */

/* The next row that counts; the table's n: none. */
static size_t
next_row(const struct store_scan *r)
{
	size_t row = r->row + 1;

	while (row < r->s->segments.n && !r->seals[row].counts)
		row++;
	return row;
}

/*
 * Which segments are part of the log: the last one whose first group is
 * whole, the one that it seals, and so on.  What lies between was begun and
 * failed, or its group was never whole.
 */
static void
follow_seals(struct store_scan *r)
{
	const struct store_segments *t = &r->s->segments;
	uint64_t wanted = UINT64_MAX;

	for (size_t i = t->n; i > 0; i--) {
		struct store_seal *seal = &r->seals[i - 1];
		uint64_t number = t->rows[i - 1]->number;

		seal->counts = number == wanted ||
		    (number < wanted && (seal->is_known ||
		    seal->has_groups));
		if (!seal->counts || number < r->at.segment)
			continue;
		/* damaged at its begin: whatever comes before it */
		wanted = seal->is_known ? seal->previous : number - 1;
	}
}

/* Damaged at its begin, or never begun: a group that was written when all
 * before it had been synced tells.  What is stale in a file names another
 * segment. */
static bool
has_groups(struct store_scan *r, struct store_segment *seg)
{
	struct store_group_head head;
	uint64_t at = STORE_BLOCK;

	while (find_later(r, seg, at, seg->bytes, false, &head) == OK) {
		if (head.synced + 1 >= head.sequence)
			return true;
		at = head.offset + store_group_size(&head);
	}
	return false;
}

static enum err
read_seals(struct store_scan *r)
{
	struct store_segments *t = &r->s->segments;
	struct store_group_head head;
	uint32_t sum;

	r->seals = calloc(t->n + 1, sizeof(*r->seals));
	if (r->seals == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < t->n; i++) {
		enum err e;

		if (t->rows[i]->number < r->at.segment)
			continue;
		e = read_group(r, t->rows[i], 0, &head, &sum);
		if (e != OK && e != ERR_CORRUPT)
			return e;
		if (e == OK)
			r->seals[i] = (struct store_seal){ .is_known = true,
			    .previous = head.previous_segment,
			    .length = head.previous_length };
		else
			r->seals[i].has_groups = has_groups(r, t->rows[i]);
	}
	follow_seals(r);
	return OK;
}

/* Where the present segment ends for certain; false: nobody sealed it. */
static bool
sealed_length(const struct store_scan *r, uint64_t *length)
{
	const struct store_seal *seal = &r->seals[next_row(r)];

	/* the one that sealed it may be gone, or damaged */
	if (!seal->is_known ||
	    seal->previous != r->s->segments.rows[r->row]->number)
		return false;
	*length = seal->length;
	return true;
}

/* To the next segment that counts; false at the end of the log. */
static bool
next_segment(struct store_scan *r)
{
	size_t next = next_row(r);

	if (next == r->s->segments.n)
		return false;
	/* segments between them went, their groups are not needed */
	if (r->seals[next].previous != r->s->segments.rows[r->row]->number)
		r->is_loose = true;
	r->row = next;
	r->at.segment = r->s->segments.rows[next]->number;
	r->at.offset = 0;
	return true;
}

/* No group at the present place of a segment that nobody sealed: the end,
 * unless a later group proves that one was synced here. */
static enum err
end_or_damage(struct store_scan *r)
{
	struct store_segments *t = &r->s->segments;
	/* a segment that others follow, whose seal is gone, proves for itself
	 * only: what it needs from the next ones may rightly be gone too */
	size_t end = next_row(r) < t->n ? r->row + 1 : t->n;
	uint64_t from = r->at.offset;
	struct store_group_head head;
	enum err e = ERR_NOT_FOUND;

	for (size_t row = r->row; row < end && e == ERR_NOT_FOUND; row++) {
		e = find_later(r, t->rows[row], from, t->rows[row]->bytes,
		    true, &head);
		if (e == OK && (e = take_pieces(r, row == r->row ?
		    head.offset : t->rows[r->row]->bytes)) == OK)
			resync(r, row, &head);
		from = 0;
	}
	return e;
}

static enum err
damage_or_next(struct store_scan *r, uint64_t length, bool *goes_on)
{
	struct store_group_head head;
	enum err e;

	if (r->at.offset < length) {
		e = find_later(r, r->s->segments.rows[r->row], r->at.offset,
		    length, false, &head);
		if (e == OK && (e = take_pieces(r, head.offset)) == OK)
			resync(r, r->row, &head);
		if (e != ERR_NOT_FOUND || (e = take_pieces(r, length)) != OK)
			return e;
		store_notice(r->s, "log-damage", "segment %ju from %ju to %ju "
		    "can't be read", (uintmax_t)r->at.segment,
		    (uintmax_t)r->at.offset, (uintmax_t)length);
		r->is_loose = true;
	}
	*goes_on = next_segment(r);
	return OK;
}

enum err
store_scan_step(struct store_scan *r, bool *goes_on)
{
	struct store_segment *seg = r->s->segments.rows[r->row];
	uint64_t length = seg->bytes;
	bool is_sealed = sealed_length(r, &length);
	struct store_group_head head;
	enum err e = ERR_CORRUPT;
	uint32_t sum;

	*goes_on = true;
	if (r->at.offset < length)
		e = read_group(r, seg, r->at.offset, &head, &sum);
	if (e == OK && does_follow(r, &head))
		return replay(r, seg, &head, sum);
	if (e != OK && e != ERR_CORRUPT)
		return e;
	if (is_sealed)
		return damage_or_next(r, length, goes_on);
	e = end_or_damage(r);
	if (e != ERR_NOT_FOUND)
		return e;
	/* a segment whose seal is gone ends where its groups end */
	*goes_on = next_segment(r);
	return OK;
}

/* ---- the begin ---- */

/* Without an index: what the newest segment says of the others. */
static enum err
read_dead(struct store_scan *r)
{
	const struct store_segments *t = &r->s->segments;
	struct store_group_head head;
	size_t row = t->n;
	uint32_t sum;
	enum err e;

	while (row > 0 && !(r->seals[row - 1].counts &&
	    r->seals[row - 1].is_known))
		row--;
	if (row == 0)
		return OK;
	e = read_group(r, t->rows[row - 1], 0, &head, &sum);
	if (e != OK)
		return e == ERR_CORRUPT ? OK : e;
	return store_dead_read(store_group_records(buf_span(&r->group),
	    &head), &r->dead);
}

/* Where the index ends, or the begin of the log; false when there is no log.
 * ERR_CORRUPT: the index is ahead of what counts. */
static enum err
find_begin(struct store_scan *r, bool *has_log)
{
	const struct store_segments *t = &r->s->segments;
	uint64_t length = UINT64_MAX;

	r->row = 0;
	while (r->row < t->n && (r->at.segment != 0 ?
	    t->rows[r->row]->number != r->at.segment :
	    !r->seals[r->row].counts))
		r->row++;
	*has_log = r->row < t->n;
	if (r->at.segment == 0) {
		r->is_loose = true;
		if (*has_log)
			r->at.segment = t->rows[r->row]->number;
		return OK;
	}
	if (!*has_log || !r->seals[r->row].counts ||
	    (sealed_length(r, &length) && r->at.offset > length))
		return ERR_CORRUPT;
	return OK;
}

void
store_scan_init(struct store_scan *r, struct store *s)
{
	*r = (struct store_scan){ .s = s, .at = s->overlay.indexed,
	    .synced_from = s->overlay.indexed.segment };
	buf_init(&r->group, STORE_GROUP_MAX);
}

void
store_scan_clear(struct store_scan *r)
{
	buf_clear(&r->group);
	free(r->seals);
	r->seals = NULL;
	free(r->doubts);
	r->doubts = NULL;
	store_numbers_clear(&r->dead);
}

enum err
store_scan_begin(struct store_scan *r, bool *has_log)
{
	enum err e = read_seals(r);

	if (e == OK && r->at.segment == 0)
		e = read_dead(r);
	return e == OK ? find_begin(r, has_log) : e;
}
