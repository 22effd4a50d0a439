/*
 * Segments count from the last one whose first group is whole back along what
 * each says of the one before it.  In each, group follows group; where none
 * does, the next whole one is looked for at every block.
 */
#include "queued/survey/survey_log.h"

#include "queued/store/store_pieces.h"
#include "queued/store/store_segment.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- reading ---- */

static enum err
open_segment(struct survey_log *l, uint64_t number)
{
	char name[STORE_SEGMENT_NAME];

	if (l->fd >= 0)
		(void)close(l->fd);
	store_segment_name(number, name);
	return store_io_open(&store_io_system, l->dir_fd, name, O_RDONLY,
	    &l->fd);
}

/* The group at OFFSET of the open segment, which ends at END; ERR_CORRUPT. */
static enum err
read_group(struct survey_log *l, const struct survey_segment *seg,
    uint64_t offset, uint64_t end, struct store_group_head *head,
    uint32_t *sum)
{
	uint8_t *p;
	size_t size;
	enum err e;

	buf_reset(&l->group);
	if ((p = buf_reserve(&l->group, STORE_BLOCK)) == NULL)
		return ERR_NOMEM;
	if (offset + STORE_BLOCK > end ||
	    store_io_read(l->fd, p, STORE_BLOCK, offset) != OK)
		return ERR_CORRUPT;
	if ((e = store_group_get_head(span_of(p, STORE_BLOCK), head)) != OK)
		return e;
	size = store_group_size(head);
	if (head->segment != seg->number || head->offset != offset ||
	    size > end - offset)
		return ERR_CORRUPT;
	if ((p = buf_reserve(&l->group, size)) == NULL)
		return ERR_NOMEM;
	if (store_io_read(l->fd, p + STORE_BLOCK, size - STORE_BLOCK,
	    offset + STORE_BLOCK) != OK)
		return ERR_CORRUPT;
	buf_commit(&l->group, size);
	return store_group_check(buf_span(&l->group), head, sum);
}

/* ---- which segments count ---- */

/* A group that was written when all before it had been synced: the segment was
 * part of the log, though its begin is damaged. */
static enum err
look_further(struct survey_log *l, struct survey_segment *seg)
{
	struct store_group_head head;
	uint32_t sum;
	enum err e = ERR_CORRUPT;

	for (uint64_t at = STORE_BLOCK; e == ERR_CORRUPT &&
	    at + STORE_BLOCK <= seg->bytes; at += STORE_BLOCK) {
		e = read_group(l, seg, at, seg->bytes, &head, &sum);
		seg->has_groups = e == OK && head.synced + 1 >= head.sequence;
		if (e == OK && !seg->has_groups)
			e = ERR_CORRUPT;
	}
	return e == ERR_CORRUPT ? OK : e;
}

static enum err
look_at_first(struct survey_log *l, struct survey_segment *seg)
{
	uint32_t sum;
	enum err e = open_segment(l, seg->number);

	if (e == ERR_NOT_FOUND)		/* gone since it was listed */
		return OK;
	if (e != OK)
		return e;
	e = read_group(l, seg, 0, seg->bytes, &seg->first, &sum);
	seg->is_known = e == OK;
	return e == ERR_CORRUPT ? look_further(l, seg) : e;
}

static void
follow_seals(struct survey_log *l)
{
	uint64_t wanted = UINT64_MAX;

	for (size_t i = l->n; i > 0; i--) {
		struct survey_segment *seg = &l->rows[i - 1];

		seg->counts = seg->number == wanted ||
		    (seg->number < wanted && (seg->is_known ||
		    seg->has_groups));
		if (seg->counts)
			wanted = seg->is_known ?
			    seg->first.previous_segment : seg->number - 1;
	}
}

static bool
is_going(const struct survey_log *l, uint64_t number)
{
	for (size_t i = 0; i < l->spool->going_n; i++)
		if (l->spool->going[i] == number)
			return true;
	return false;
}

/* What was not listed or is behind `until' is none of ours. */
static enum err
add_segment(struct survey_log *l, uint64_t number)
{
	struct survey_segment *seg = &l->rows[l->n];
	char name[STORE_SEGMENT_NAME];
	struct stat st;

	*seg = (struct survey_segment){ .number = number };
	store_segment_name(number, name);
	if (is_going(l, number) ||
	    (l->until.segment != 0 && number > l->until.segment))
		return OK;
	if (fstatat(l->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return OK;
	seg->bytes = (uint64_t)st.st_size;
	if (number == l->until.segment && seg->bytes > l->until.offset)
		seg->bytes = l->until.offset;
	l->n++;
	return look_at_first(l, seg);
}

enum err
survey_log_open(struct survey_log *l, const struct survey_spool *spool,
    int dir_fd, const struct store_position *until)
{
	struct store_numbers numbers = { .p = NULL };
	enum err e;

	*l = (struct survey_log){ .spool = spool, .dir_fd = dir_fd,
	    .fd = -1 };
	buf_init(&l->group, STORE_GROUP_MAX);
	if (until != NULL)
		l->until = *until;
	if ((e = store_segments_list(dir_fd, &numbers)) == OK) {
		l->rows = calloc(numbers.n + 1, sizeof(*l->rows));
		e = l->rows == NULL ? ERR_NOMEM : OK;
	}
	for (size_t i = 0; i < numbers.n && e == OK; i++)
		e = add_segment(l, numbers.p[i]);
	store_numbers_clear(&numbers);
	if (e == OK)
		follow_seals(l);
	return e;
}

void
survey_log_clear(struct survey_log *l)
{
	if (l->fd >= 0)
		(void)close(l->fd);
	l->fd = -1;
	buf_clear(&l->group);
	free(l->rows);
	l->rows = NULL;
	l->n = 0;
}

uint64_t
survey_log_bytes(const struct survey_log *l)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < l->n; i++)
		bytes += l->rows[i].counts ? l->rows[i].bytes : 0;
	return bytes;
}

/* ---- the walk ---- */

/* The next one that counts; NULL: none. */
static const struct survey_segment *
next_of(const struct survey_log *l, size_t row)
{
	for (row++; row < l->n; row++)
		if (l->rows[row].counts)
			return &l->rows[row];
	return NULL;
}

/* That says where SEG ends; NULL: nobody does. */
static const struct survey_segment *
sealer_of(const struct survey_log *l, size_t row)
{
	const struct survey_segment *next = next_of(l, row);

	return next != NULL && next->is_known &&
	    next->first.previous_segment == l->rows[row].number ? next : NULL;
}

uint64_t
survey_log_length(const struct survey_log *l, size_t row)
{
	const struct survey_segment *sealer = sealer_of(l, row);
	uint64_t bytes = l->rows[row].bytes;

	return sealer != NULL && sealer->first.previous_length < bytes ?
	    sealer->first.previous_length : bytes;
}

static void
tell(struct survey_log *l, const struct survey_segment *seg,
    const struct store_group_head *head, uint32_t sum)
{
	if (!l->is_loose && (head->sequence <= l->at.sequence ||
	    head->chain != l->at.sum))
		l->ops->on_leap(l->ctx, seg, head, l->at.sequence);
	l->ops->on_group(l->ctx, seg, buf_span(&l->group), head);
	l->at = (struct store_position){ .segment = seg->number,
	    .offset = head->offset + store_group_size(head),
	    .sequence = head->sequence, .sum = sum };
	l->is_loose = false;
}

/* A whole group behind what can't be read.  NEEDS_PROOF: only one that was
 * written when the group that should be there had been synced.  END: none. */
static enum err
find_next(struct survey_log *l, const struct survey_segment *seg,
    uint64_t from, uint64_t end, bool needs_proof, uint64_t *out)
{
	struct store_group_head head;
	uint32_t sum;

	for (; from + STORE_BLOCK <= end; from += STORE_BLOCK) {
		enum err e = read_group(l, seg, from, end, &head, &sum);

		if (e == ERR_NOMEM || e == ERR_VERSION)
			return e;
		if (e == OK && head.sequence > l->at.sequence &&
		    (!needs_proof || head.synced > l->at.sequence))
			break;
	}
	*out = from + STORE_BLOCK <= end ? from : end;
	return OK;
}

/* The bytes of a gap, as many as a group can have. */
static enum err
tell_gap(struct survey_log *l, const struct survey_segment *seg,
    uint64_t from, uint64_t to, bool is_tail)
{
	struct survey_gap gap = { .segment = seg->number, .offset = from,
	    .bytes = to - from, .is_tail = is_tail };
	size_t n = to - from < STORE_GROUP_MAX ? (size_t)(to - from) :
	    STORE_GROUP_MAX;
	uint8_t *p;

	buf_reset(&l->group);
	if ((p = buf_reserve(&l->group, n)) == NULL)
		return ERR_NOMEM;
	/* a sector that can't be read hides what follows it */
	if (store_io_read(l->fd, p, n, from) == OK)
		gap.content = span_of(p, n);
	l->ops->on_gap(l->ctx, seg, &gap);
	return OK;
}

/* Whether bytes at the end of the log look like a group begun here. */
static bool
is_begun(const struct survey_log *l, const struct survey_segment *seg,
    uint64_t at)
{
	uint8_t bytes[STORE_GROUP_HEAD];
	struct store_group_head head;

	return at + STORE_BLOCK <= seg->bytes &&
	    store_io_read(l->fd, bytes, sizeof(bytes), at) == OK &&
	    store_group_get_head(span_of(bytes, sizeof(bytes)), &head) == OK &&
	    head.segment == seg->number && head.offset == at &&
	    head.sequence > l->at.sequence;
}

/* No whole group at AT: over what is damaged, or to the end.  IS_SEALED: the
 * segment's end is certain. */
static enum err
pass_gap(struct survey_log *l, const struct survey_segment *seg, uint64_t *at,
    uint64_t end, bool is_sealed)
{
	uint64_t next;
	enum err e = find_next(l, seg, *at + STORE_BLOCK, end, !is_sealed,
	    &next);

	if (e != OK)
		return e;
	if (is_sealed || next < end) {
		e = tell_gap(l, seg, *at, next, false);
		l->is_loose = true;
	} else if (is_begun(l, seg, *at)) {
		e = tell_gap(l, seg, *at, end, true);
	}
	*at = next;
	return e;
}

static enum err
walk_segment(struct survey_log *l, size_t row)
{
	const struct survey_segment *seg = &l->rows[row];
	/* of an index's position, too, all before it is certain */
	bool is_sealed = sealer_of(l, row) != NULL ||
	    seg->number == l->until.segment;
	uint64_t end = survey_log_length(l, row), at = 0;
	struct store_group_head head;
	uint32_t sum;
	enum err e;

	if (seg->is_known && seg->first.previous_segment != l->at.segment)
		l->is_loose = true;	/* those between them went */
	if ((e = open_segment(l, seg->number)) != OK)
		return e == ERR_NOT_FOUND ? OK : e;
	while (at < end && e == OK) {
		e = read_group(l, seg, at, end, &head, &sum);
		if (e == OK && (l->is_loose ||
		    head.sequence > l->at.sequence)) {
			tell(l, seg, &head, sum);
			at = l->at.offset;
		} else if (e == OK || e == ERR_CORRUPT) {
			e = pass_gap(l, seg, &at, end, is_sealed);
		}
	}
	return e;
}

enum err
survey_log_first(struct survey_log *l, size_t row,
    const struct survey_log_ops *ops, void *ctx)
{
	const struct survey_segment *seg = &l->rows[row];
	struct store_group_head head;
	uint32_t sum;
	enum err e = open_segment(l, seg->number);

	if (e == OK)
		e = read_group(l, seg, 0, seg->bytes, &head, &sum);
	if (e == OK)
		ops->on_group(ctx, seg, buf_span(&l->group), &head);
	return e;
}

enum err
survey_log_walk(struct survey_log *l, const struct survey_log_ops *ops,
    void *ctx)
{
	enum err e = OK;

	l->ops = ops;
	l->ctx = ctx;
	l->is_loose = true;
	for (size_t i = 0; i < l->n && e == OK; i++)
		if (l->rows[i].counts)
			e = walk_segment(l, i);
	return e;
}
