/*
 * The index, row by row.
 *
 * Each message is looked at with its units, their rows by time and the head of
 * its record in the log, in one read transaction; on line that is renewed
 * after some milliseconds, for pages that a check-point replaced can't be used
 * again while somebody reads them.  Sums over all rows are compared only if
 * the index stood still meanwhile.
 */
#include "common/base/crc32c.h"
#include "common/os/clock.h"
#include "queued/store/store_probe.h"
#include "queued/store/store_read.h"
#include "queued/survey/survey_check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { SLICE_MS = 40, PATH_BYTES = 4096 };

/* ---- what the index says of itself ---- */

enum err
survey_read_meta(struct survey *s, struct store_meta *out)
{
	struct span key = store_index_meta_key(), value;
	enum err e = store_index_get(s->index, STORE_TABLE_META, key, &value);

	return e == OK ? store_row_get_meta(key, value, out) : e;
}

static bool
is_still(struct survey *s)
{
	struct store_meta now;

	return survey_read_meta(s, &now) == OK &&
	    now.at.sequence == s->meta.at.sequence;
}

static enum err
take_meta(struct survey *s)
{
	enum err e = store_index_begin(s->index);

	if (e != OK)
		return e;
	e = survey_read_meta(s, &s->meta);
	store_index_end(s->index);
	s->has_meta = e == OK;
	if (e == OK && memcmp(s->meta.uuid, s->uuid, sizeof(s->uuid)) != 0)
		survey_damage(&s->report, (struct survey_place){ 0 },
		    "the index is that of another spool");
	if (e == ERR_CORRUPT)
		survey_damage(&s->report, (struct survey_place){ 0 },
		    "the index does not say where it stands");
	/* none: it was just made, and begins at the log's begin */
	return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? OK : e;
}

/* What was there when a check was asked for is in the index after its next
 * check-point; one that lags for longer is no reason not to look. */
static enum err
wait_for_meta(struct survey *s)
{
	const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };
	enum err e = take_meta(s);

	for (int i = 0; i < 150 && e == OK && s->spool->is_live &&
	    s->report.damages == 0 &&
	    s->meta.at.sequence < s->spool->until.sequence; i++) {
		(void)nanosleep(&pause, NULL);
		e = take_meta(s);
	}
	return e;
}

/* An index that can't be opened is damage, no failure: the log goes on. */
enum err
survey_open_index(struct survey *s)
{
	struct why why = { .text = "" };
	char path[PATH_BYTES];
	enum err e;

	if (snprintf(path, sizeof(path), "%s/index", s->spool->path) >=
	    (int)sizeof(path))
		return ERR_RANGE;
	if (faccessat(s->dir_fd, "index/data.mdb", R_OK, 0) != 0) {
		survey_note(&s->report, (struct survey_place){ 0 },
		    "there is no index: the next start makes one");
		return OK;
	}
	/* on line its pages change while it is walked; the last start did */
	if (!s->spool->is_live && (e = store_probe(s->dir_fd,
	    "index/data.mdb", INT64_MAX, NULL, &why)) == ERR_CORRUPT) {
		survey_damage(&s->report, (struct survey_place){ 0 },
		    "index: %s", why.text);
		return OK;
	}
	e = store_index_open_to_read(path, s->spool->is_live, &s->index, &why);
	if (e == ERR_NOMEM)
		return e;
	if (e != OK) {
		survey_damage(&s->report, (struct survey_place){ 0 },
		    "index: %s", why.text);
		return OK;
	}
	return wait_for_meta(s);
}

bool
survey_has_message(struct survey *s, uint64_t id)
{
	struct store_row_key key = store_row_key_message(id);
	struct span value;
	enum err e = store_index_begin(s->index);

	if (e == OK) {
		e = store_index_get(s->index, STORE_TABLE_MESSAGE,
		    span_of(key.p, key.n), &value);
		store_index_end(s->index);
	}
	return e != ERR_NOT_FOUND;
}

/* ---- a message's record ---- */

static struct survey_live *
live_of(struct survey *s, uint64_t segment)
{
	size_t low = 0, high = s->live_n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->live[middle].number < segment)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->live_n && s->live[low].number == segment ?
	    &s->live[low] : NULL;
}

/* Begun since the log was looked at: nothing is known of it. */
static bool
is_newer(const struct survey *s, uint64_t segment)
{
	return s->spool->is_live && (s->live_n == 0 ||
	    segment > s->live[s->live_n - 1].number);
}

/* Head and fields; the content was summed up with its group. */
static enum err
read_record(struct survey *s, const struct message *m, size_t content,
    uint64_t at)
{
	char name[STORE_SEGMENT_NAME];
	size_t n = m->record_bytes - content;
	uint8_t *p;
	enum err e;
	int fd;

	store_segment_name(m->pub.place.segment, name);
	e = store_io_open(&store_io_system, s->log_fd, name, O_RDONLY, &fd);
	if (e != OK)
		return e;
	buf_reset(&s->scratch);
	if ((p = buf_reserve(&s->scratch, m->record_bytes)) == NULL)
		e = ERR_NOMEM;
	else
		e = store_io_read(fd, p, n, at);
	(void)close(fd);
	if (e == OK) {
		memset(p + n, 0, content);
		buf_commit(&s->scratch, m->record_bytes);
	}
	return e;
}

/* The row and the record say the same of the content. */
static void
check_place(struct survey *s, const struct message *m)
{
	const struct store_place *place = &m->pub.place;
	uint64_t content = place->trace_bytes +
	    (place->is_file ? 0 : place->body_bytes);
	struct survey_place at = { place->segment, place->offset, m->pub.id };
	struct survey_live *live = live_of(s, place->segment);
	struct store_record r;
	struct span rest;

	if (content + STORE_RECORD_HEAD > m->record_bytes ||
	    place->offset + content < m->record_bytes) {
		survey_damage(&s->report, at, "its row in the index is "
		    "impossible");
		return;
	}
	at.offset += content;
	at.offset -= m->record_bytes;
	if ((live == NULL && !is_newer(s, at.segment)) ||
	    read_record(s, m, (size_t)content, at.offset) != OK) {
		survey_damage(&s->report, at, "the index names a record that "
		    "can't be read");
		return;
	}
	if (live != NULL) {
		live->messages++;
		live->bytes += m->record_bytes;
	}
	rest = buf_span(&s->scratch);
	if (store_record_next(&rest, &r) != OK || r.id != m->pub.id ||
	    (r.type != STORE_RECORD_MESSAGE && r.type != STORE_RECORD_MOVED) ||
	    r.size != m->record_bytes || r.generation != m->generation ||
	    r.content_crc != m->content_crc)
		survey_damage(&s->report, at, "the record in the log is not "
		    "the one that the index has");
}

/* ---- units ---- */

static void
check_due(struct survey *s, const struct unit *u, uint64_t id)
{
	uint64_t due = u->pub.due_at |
	    (u->pub.message->is_held ? STORE_DUE_HELD : 0);
	struct store_row_key key = store_row_key_due(due, id, u->pub.number);
	struct span k = span_of(key.p, key.n), value;
	struct survey_place at = { .id = id };
	uint64_t hash, arrived;
	enum err e = store_index_get(s->index, STORE_TABLE_DUE, k, &value);

	if (e == OK)
		e = store_row_get_due(k, value, &hash, &arrived);
	if (e != OK)
		survey_damage(&s->report, at, "unit %u has no sound row by "
		    "time", u->pub.number);
	else if (hash != store_key_hash(u->pub.key) ||
	    arrived != u->pub.message->arrived_at)
		survey_damage(&s->report, at, "unit %u and its row by time "
		    "differ", u->pub.number);
}

/* Adds to LEFT and COUNT what is there of the unit. */
static void
check_unit(struct survey *s, const struct message *m, uint32_t number,
    uint32_t *left, uint32_t *count)
{
	struct store_row_key key = store_row_key_unit(m->pub.id, number);
	struct span k = span_of(key.p, key.n), value;
	struct survey_place at = { .id = m->pub.id };
	struct unit *u;
	enum err e = store_index_get(s->index, STORE_TABLE_UNIT, k, &value);

	if (e == ERR_NOT_FOUND)		/* settled */
		return;
	if (e == OK)
		e = store_row_get_unit(k, value, &u);
	if (e != OK) {
		survey_damage(&s->report, at, "the row of unit %u is damaged",
		    number);
		return;
	}
	u->pub.message = (struct store_message *)(uintptr_t)&m->pub;
	*left += u->pub.left;
	(*count)++;
	s->count.rows++;
	check_due(s, u, m->pub.id);
	free(u);
}

static void
check_message(struct survey *s, const struct message *m)
{
	struct survey_place at = { .id = m->pub.id };
	uint32_t left = 0, units = 0;

	for (uint32_t i = 0; i < m->pub.unit_count; i++)
		check_unit(s, m, i, &left, &units);
	/* whose one recipient stands for those that were not begun */
	if (store_is_list(&m->pub) && left == 1)
		left = m->pub.list.total - m->pub.list.count;
	if (left != m->pub.left || units != m->units_left)
		survey_damage(&s->report, at, "%u units with %u recipients "
		    "are left, its row says %u and %u", units, left,
		    m->units_left, m->pub.left);
	s->count.messages++;
	s->count.units += units;
	s->count.recipients += left;
	s->count.bytes += store_message_size(&m->pub);
	check_place(s, m);
}

/* ---- slices ---- */

struct walk {
	struct survey *s;
	uint8_t last[STORE_ROW_KEY_MAX];	/* the key seen last */
	size_t last_n;
	int64_t until_ms;
	bool is_over;
	bool (*visit)(struct survey *s, struct span key, struct span value);
};

static bool
visit_row(void *ctx, struct span key, struct span value)
{
	struct walk *w = ctx;

	/* the first row of a slice is the last one of the slice before */
	if (w->last_n == key.n && memcmp(w->last, key.p, key.n) == 0)
		return true;
	w->s->count.rows++;
	if (!w->visit(w->s, key, value) || key.n > sizeof(w->last))
		return false;
	memcpy(w->last, key.p, key.n);
	w->last_n = key.n;
	w->is_over = w->s->body.id == 0 &&
	    (!w->s->spool->is_live || clock_mono_ms() < w->until_ms);
	return w->is_over;
}

static void
walk_table(struct survey *s, enum store_table table,
    bool (*visit)(struct survey *s, struct span key, struct span value))
{
	struct walk w = { .s = s, .visit = visit };
	enum err e;

	do {
		w.is_over = true;
		w.until_ms = clock_mono_ms() + SLICE_MS;
		if ((e = store_index_begin(s->index)) != OK)
			break;
		e = store_index_scan(s->index, table, span_of(w.last,
		    w.last_n), visit_row, &w);
		store_index_end(s->index);
		/* not within the transaction: it may take long */
		if (s->body.id != 0)
			survey_read_body(s, s->body.id, s->body.bytes,
			    s->body.sum);
		s->body.id = 0;
	} while (e == OK && !w.is_over && s->failure == OK);
	if (e == ERR_NOMEM)
		s->failure = e;
	else if (e != OK)
		survey_damage(&s->report, (struct survey_place){ 0 },
		    "a table of the index can't be read: %s", err_text(e));
}

/* ---- tables ---- */

static bool
visit_message(struct survey *s, struct span key, struct span value)
{
	struct survey_place at = { .id = store_row_read_number(key) };
	struct message *m;
	enum err e = store_row_get_message(key, value, &m);

	if (e == ERR_NOMEM)
		s->failure = e;
	if (e == ERR_CORRUPT)
		survey_damage(&s->report, at, "its row in the index is "
		    "damaged");
	if (e != OK)
		return e != ERR_NOMEM;
	check_message(s, m);
	if (m->pub.is_quarantined)
		survey_note(&s->report, at, "it is set aside, for its content "
		    "was found damaged");
	free(m);
	return true;
}

/* A list and its parts, neighbours in the table, share a file. */
static bool
visit_body(struct survey *s, struct span key, struct span value)
{
	struct message *m;

	if (store_row_get_message(key, value, &m) != OK)
		return true;
	if (m->pub.place.is_file && store_file_id(&m->pub) != s->last_body) {
		s->body.id = s->last_body = store_file_id(&m->pub);
		s->body.bytes = m->pub.list.bytes + m->pub.place.body_bytes;
		s->body.sum = m->file_crc;
	}
	free(m);
	return true;
}

/* Units were met with their messages; one without is seen by the counts. */
static bool
visit_unit(struct survey *s, struct span key, struct span value)
{
	struct survey_place at = { .id = 0 };
	uint32_t unit;

	(void)value;
	if (!store_row_read_unit_key(key, &at.id, &unit))
		survey_damage(&s->report, at, "a unit has an impossible key");
	else if (!survey_has_message(s, at.id))
		survey_damage(&s->report, at, "unit %u has no message", unit);
	return true;
}

static bool
visit_due(struct survey *s, struct span key, struct span value)
{
	struct survey_place at = { .id = 0 };
	struct store_row_key wanted;
	uint64_t due;
	uint32_t unit;

	s->count.due++;
	if (!store_row_read_due_key(key, &due, &at.id, &unit)) {
		survey_damage(&s->report, at, "a row by time has an "
		    "impossible key");
		return true;
	}
	wanted = store_row_key_unit(at.id, unit);
	if (store_index_get(s->index, STORE_TABLE_UNIT, span_of(wanted.p,
	    wanted.n), &value) == ERR_NOT_FOUND)
		survey_damage(&s->report, at, "a row by time has no unit %u",
		    unit);
	return true;
}

/* Those of the index's own past are right when it stood still. */
static bool
visit_segment(struct survey *s, struct span key, struct span value)
{
	struct survey_place at = { .segment = store_row_read_number(key) };
	struct store_segment row = { .number = at.segment };
	struct survey_live *live = live_of(s, at.segment);
	struct survey_live none = { .number = at.segment };

	if (store_row_get_segment(key, value, &row) != OK)
		survey_damage(&s->report, at, "its row in the index is "
		    "damaged");
	else if (live == NULL && row.messages > 0 &&
	    !is_newer(s, at.segment))
		survey_damage(&s->report, at, "%ju messages live in this "
		    "segment, which is not there", (uintmax_t)row.messages);
	else if (is_still(s)) {
		if (live == NULL)
			live = &none;
		if (row.messages != live->messages ||
		    row.live_bytes != live->bytes)
			survey_damage(&s->report, at, "%ju messages with %ju "
			    "bytes live here, its row says %ju and %ju",
			    (uintmax_t)live->messages,
			    (uintmax_t)live->bytes,
			    (uintmax_t)row.messages,
			    (uintmax_t)row.live_bytes);
	}
	store_numbers_clear(&row.settles);
	return true;
}

/* ---- the whole ---- */

static enum err
make_live(struct survey *s)
{
	s->live = calloc(s->log.n + 1, sizeof(*s->live));
	if (s->live == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < s->log.n; i++)
		s->live[s->live_n++].number = s->log.rows[i].number;
	return OK;
}

static void
compare(struct survey *s, const char *what, uint64_t found, uint64_t said)
{
	if (found != said)
		survey_damage(&s->report, (struct survey_place){ 0 },
		    "the index has %ju %s and says that it has %ju",
		    (uintmax_t)found, what, (uintmax_t)said);
}

static void
compare_counts(struct survey *s)
{
	const struct store_counters *said = &s->meta.count;
	bool still;

	if (!s->has_meta || store_index_begin(s->index) != OK)
		return;
	still = is_still(s);
	store_index_end(s->index);
	if (!still)
		return;
	compare(s, "messages", s->count.messages, said->messages);
	compare(s, "units", s->count.units, said->units);
	compare(s, "recipients", s->count.recipients, said->recipients);
	compare(s, "bytes", s->count.bytes, said->bytes);
	compare(s, "rows by time", s->count.due, s->count.units);
}

void
survey_read_index(struct survey *s)
{
	if ((s->failure = make_live(s)) != OK)
		return;
	walk_table(s, STORE_TABLE_MESSAGE, visit_message);
	walk_table(s, STORE_TABLE_UNIT, visit_unit);
	walk_table(s, STORE_TABLE_DUE, visit_due);
	walk_table(s, STORE_TABLE_SEGMENT, visit_segment);
	walk_table(s, STORE_TABLE_MESSAGE, visit_body);
	compare_counts(s);
}
