/*
 * Steps 1 and 5 to 7 of SPOOL.md, "Recovery"; the way through the log, steps 2
 * to 4, is store_scan.c.  The order is the point: what was replayed is synced
 * before a seal vouches for it, the seal is synced before an id is given or a
 * file removed, and units are told last, when nothing can take them back.  A
 * crash anywhere leaves a log that the next start reads to the same end.
 */
#include "queued/store/store_recover.h"

#include "common/os/clock.h"
#include "queued/store/store_body_private.h"
#include "queued/store/store_build.h"
#include "queued/store/store_memory.h"
#include "queued/store/store_row.h"
#include "queued/store/store_scan.h"
#include "queued/store/store_tap_private.h"

#include <fcntl.h>
#include <sys/stat.h>

/* A message id: 24 bits for starts, 40 for the messages of one. */

/* ---- preparation ---- */

/* The row has what lives in it, up to the index's position; the replay adds the
 * rest.  One without a row came after the index. */
static enum err
add_segment(struct store *s, uint64_t number)
{
	struct store_row_key key = store_row_key_message(number);
	struct span k = span_of(key.p, key.n), value;
	struct store_segment *seg;
	char name[STORE_SEGMENT_NAME];
	struct stat st;
	enum err e;

	store_segment_name(number, name);
	if (fstatat(s->log_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !S_ISREG(st.st_mode))
		return ERR_IO;
	e = store_segments_add(&s->segments, number, (uint64_t)st.st_size, -1,
	    &seg);
	if (e != OK)
		return e;
	if (store_index_get(s->index, STORE_TABLE_SEGMENT, k, &value) != OK)
		return OK;
	seg->is_dirty = false;
	return store_row_get_segment(k, value, seg);
}

/* What a former life removed is needed by nobody. */
static void
forget_missing(struct store *s)
{
	for (size_t i = 0; i < s->segments.n; i++) {
		struct store_segment *seg = s->segments.rows[i];

		for (size_t k = seg->settles.n; k > 0; k--) {
			uint64_t number = seg->settles.p[k - 1];

			if (store_segments_find(&s->segments, number) == NULL)
				store_numbers_remove(&seg->settles, number);
		}
	}
}

/* Numbers of files that failed are used up too. */
static enum err
add_segments(struct store *s)
{
	struct store_numbers numbers = { .p = NULL };
	enum err e = store_segments_list(s->log_fd, &numbers);

	for (size_t i = 0; i < numbers.n && e == OK; i++) {
		e = add_segment(s, numbers.p[i]);
		if (numbers.p[i] >= s->next_segment)
			s->next_segment = numbers.p[i] + 1;
	}
	store_numbers_clear(&numbers);
	forget_missing(s);
	return e;
}

static bool
see_row(void *ctx, struct span key, struct span value)
{
	bool *is_there = ctx;

	(void)key;
	(void)value;
	*is_there = true;
	return false;
}

/* No row of our name: an index just made, for which the log begins at its
 * begin, or one that has the name of another format. */
static enum err
find_format(struct store *s, struct why *why)
{
	bool has_other = false;
	enum err e = store_index_scan(s->index, STORE_TABLE_META, SPAN_NONE,
	    see_row, &has_other);

	if (e == OK && has_other)
		return why_set(why, ERR_CORRUPT, "index has another format");
	return e;
}

/* One of another spool (UUID) would say where things lie in another log. */
static enum err
read_meta(struct store *s, struct why *why)
{
	struct span key = store_index_meta_key(), value;
	struct store_meta meta;
	enum err e;

	e = store_index_get(s->index, STORE_TABLE_META, key, &value);
	if (e == ERR_NOT_FOUND)
		return find_format(s, why);
	if (e == OK)
		e = store_row_get_meta(key, value, &meta);
	if (e != OK)
		return e;
	if (memcmp(meta.uuid, s->uuid, sizeof(meta.uuid)) != 0)
		return why_set(why, ERR_CORRUPT, "index of another spool");
	s->overlay.indexed = meta.at;
	s->had_index = true;
	s->count = meta.count;
	s->start = meta.start;
	s->next_segment = meta.last_segment + 1;
	return OK;
}

/* An index past the end of its segment knows more than the log has. */
enum err
store_recover_prepare(struct store *s, struct why *why)
{
	const struct store_position *at = &s->overlay.indexed;
	const struct store_segment *seg;
	enum err e = store_index_begin(s->index);

	if (e != OK)
		return why_set(why, e, "index: %s", err_text(e));
	s->next_segment = 1;
	if ((e = read_meta(s, why)) == OK)
		e = add_segments(s);
	store_index_end(s->index);
	if (e != OK && why->text[0] == '\0')
		why_set(why, e, "index: %s", err_text(e));
	if (e != OK || at->segment == 0)
		return e;
	seg = store_segments_find(&s->segments, at->segment);
	return seg != NULL && at->offset <= seg->bytes ? OK :
	    why_set(why, ERR_CORRUPT, "index is ahead of the log");
}

/* ---- the end of it ---- */

/* Begins the new segment, whose first group is the seal.  The thread's job is
 * waited for: nobody takes turns yet.  A spare is made here if there is none.
 * HAS_TAIL: the seal cuts whole groups off. */
static enum err
seal(struct store *s, const struct store_position *end, bool has_tail)
{
	uint64_t sequence = end->sequence;
	enum err e;

	s->start++;
	if (s->start < s->start_at_least)
		s->start = s->start_at_least;
	s->next_id = s->start << STORE_START_SHIFT | 1;
	if ((e = store_log_init(s, end)) != OK)
		return e;
	if (s->spares.count == 0 &&
	    (e = store_spares_make_now(&s->spares)) != OK)
		return e;
	s->log.is_cutting = has_tail;
	store_log_hand_over(s, clock_mono_ms(), true);
	s->log.is_cutting = false;
	store_worker_drain(s->commit);
	return s->log.synced.sequence > sequence && !s->is_dead ? OK : ERR_IO;
}

/* Files that were begun, or whose groups failed: the seal cut them off. */
static void
remove_void(struct store *s, uint64_t end)
{
	char name[STORE_SEGMENT_NAME];

	for (size_t i = s->segments.n; i > 0; i--) {
		uint64_t number = s->segments.rows[i - 1]->number;

		if (number <= end || number == s->log.segment->number)
			continue;
		store_segment_name(number, name);
		(void)s->io->unlink(s->io->ctx, s->log_fd, name);
		store_segments_remove(&s->segments, number);
	}
	(void)s->io->sync_dir(s->io->ctx, s->log_fd);
}

/*
 * Those that changed since the index's position; all others are found by time.
 */
static void
tell_units(struct store *s)
{
	const struct message *m;
	size_t cursor = 0;

	while ((m = map_u64_next(&s->messages, &cursor)) != NULL) {
		for (uint32_t i = 0; i < m->pub.unit_count; i++) {
			struct unit *u = m->units[i];

			if (u == NULL || u->is_gone)
				continue;
			u->is_ours = false;
			s->ops.on_unit(s->ctx, &u->pub);
		}
	}
}

/* That of a version is worth a sentence, for nothing is wrong with the log; and
 * so is a disk that does not read, for somebody has to do something. */
static enum err
explain(const struct store_scan *r, enum err e, struct why *why)
{
	return why_set(why, e, "log, segment %ju at %ju: %s",
	    (uintmax_t)r->at.segment, (uintmax_t)r->at.offset,
	    e == ERR_VERSION ? "written by a newer version of this program" :
	    e == ERR_IO ? "it can't be read from the disk: `mtactl spool "
	    "salvage DIR' saves what can be, `mtactl spool restore DIR "
	    "--set-aside' makes a spool of that" : err_text(e));
}

static enum err
recover(struct store_scan *r, struct why *why)
{
	struct store *s = r->s;
	bool goes_on;
	enum err e;

	e = store_scan_begin(r, &goes_on);
	if (e == ERR_CORRUPT)
		return why_set(why, e, "index and log contradict each other");
	if (e != OK)
		return explain(r, e, why);
	while (goes_on) {
		if ((e = store_scan_step(r, &goes_on)) != OK)
			return explain(r, e, why);
	}
	if ((e = store_scan_sync(r)) != OK)
		return why_set(why, e, "log can't be synced: %s", err_text(e));
	if ((e = store_build_end(s, why)) != OK)
		return e;
	if ((e = seal(s, &r->at, r->has_tail)) != OK)
		return why_set(why, e, "log can't be sealed: %s", err_text(e));
	remove_void(s, r->at.segment);
	return store_bodies_sweep(s);
}

enum err
store_recover(struct store *s, struct why *why)
{
	struct store_scan r;
	enum err e;

	s->is_recovering = true;
	store_tap_replay(s);
	store_scan_init(&r, s);
	e = recover(&r, why);
	store_scan_clear(&r);
	s->is_recovering = false;
	if (e == OK)
		tell_units(s);
	return e;
}
