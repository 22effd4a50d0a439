/*
 * The proof by bytes (I-05, I-09): whatever byte of the log is wrong, whatever
 * page of the index: the store comes up, no message is lost that the log still
 * holds, none is altered, and the damage is named.
 *
 * MTAD_BYTES=STEP:FROM:COUNT flips COUNT bytes, each STEPth from FROM on;
 * tests/unit/store/run-bytes flips all.
 */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queued/store/store_group.h"
#include "queued/store/store_private.h"
#include "queued/store/store_list.h"
#include "tests/unit/store/rig_list.h"

enum { LISTED = 9, MESSAGES = LISTED + 3, SEGMENTS = 8, BLOCK = 3 };

/* What the sound spool holds. */
struct truth {
	struct rig rig;			/* closed */
	uint64_t ids[MESSAGES];
	char *state[MESSAGES];		/* its lines of the dump */
	char *content[MESSAGES];
	size_t content_n[MESSAGES];
	struct { uint64_t number, bytes; } segments[SEGMENTS];
	size_t n;
};

static void
look(struct rig *r, uint64_t id, char **state, char **content, size_t *n,
    enum err *e);

struct looking {
	struct rig *r;
	FILE *out;
	struct buf content;
	enum err e;
};

static bool
on_message(void *ctx, const struct store_message *m,
    struct store_unit *const *units)
{
	struct looking *l = ctx;

	fprintf(l->out, "left %u/%u held %d list %u of %u at %ju\n", m->left,
	    m->recipients, m->is_held, m->list.count, m->list.total,
	    (uintmax_t)m->list.at);
	for (; *units != NULL; units++)
		for (uint32_t i = 0; i < (*units)->count; i++)
			fprintf(l->out, "%.*s settled %d\n",
			    (int)(*units)->recipients[i].address.n,
			    (*units)->recipients[i].address.p,
			    (*units)->recipients[i].is_settled);
	l->e = store_content(l->r->s, m, 0, SIZE_MAX, &l->content);
	return true;
}

/* State NULL: it is not there. */
static void
look(struct rig *r, uint64_t id, char **state, char **content, size_t *n,
    enum err *e)
{
	struct looking l = { .r = r, .e = ERR_NOT_FOUND };
	size_t size;

	*state = *content = NULL;
	l.out = open_memstream(state, &size);
	buf_init(&l.content, 16 << 20);
	if (store_show(r->s, id, on_message, &l) != OK)
		l.e = ERR_NOT_FOUND;
	(void)fclose(l.out);
	if (l.e == ERR_NOT_FOUND) {
		free(*state);
		*state = NULL;
	}
	*n = l.content.n;
	*content = malloc(l.content.n + 1);
	if (l.content.n > 0)
		memcpy(*content, l.content.p, l.content.n);
	*e = l.e;
	buf_clear(&l.content);
}

static uint64_t
submit(struct truth *t, size_t *count, const char *rcpts, const char *body)
{
	struct store_unit *u = rig_submit(&t->rig, rcpts, body);

	t->ids[(*count)++] = u->message->id;
	return u->message->id;
}

/* Of seven, of which six are begun: one part in the group of a message, and
 * the last one in one of its own. */
static void
make_list(struct truth *t, size_t *n)
{
	struct rig *r = &t->rig;
	struct store_unit *part;

	t->ids[*n] = rig_list(r, 2 * BLOCK + 1);
	for (uint64_t i = 1; i <= 2; i++)
		t->ids[*n + i] = t->ids[*n] + i;
	cr_assert_eq(rig_list_try_begin(r, t->ids[*n], &part), OK);
	(void)rig_submit(r, "g@one.example", "beside a part\r\n");
	rig_sync(r);
	(void)rig_verdict(r, part, 0, 0, true, 0, "ok");
	rig_sync(r);
	(void)rig_list_begin(r, t->ids[*n]);
	*n += 3;
}

/* Several messages to a group, verdicts, a hold; then a second life, so that
 * all but its own is sealed. */
static void
make_truth(struct truth *t)
{
	struct rig *r = &t->rig;
	size_t n = 0;
	enum err e;

	memset(t, 0, sizeof(*t));
	rig_init(r);
	r->list_block = BLOCK;
	rig_open(r);
	for (int i = 0; i < 3; i++)
		(void)submit(t, &n, "a@one.example b@two.example",
		    "a body of some length\r\n");
	rig_sync(r);
	(void)submit(t, &n, "c@one.example", "second\r\n");
	rig_verdict(r, store_find_unit(r->s, t->ids[0], 0), 0, 0, true, 0,
	    "ok");
	(void)submit(t, &n, "d@one.example", "third\r\n");
	rig_sync(r);
	cr_assert_eq(store_hold(r->s, store_find_unit(r->s, t->ids[1],
	    0)->message, true), OK);
	(void)submit(t, &n, "e@one.example", "fourth\r\n");
	rig_checkpoint(r);
	rig_close(r);
	rig_open(r);
	for (int i = 0; i < 3; i++) {
		(void)submit(t, &n, "f@one.example", "in the second life\r\n");
		rig_sync(r);
	}
	make_list(t, &n);
	cr_assert_eq(n, MESSAGES);
	rig_checkpoint(r);
	for (size_t i = 0; i < n; i++) {
		look(r, t->ids[i], &t->state[i], &t->content[i],
		    &t->content_n[i], &e);
		cr_assert_eq(e, OK);
	}
	for (size_t i = 0; i < r->s->segments.n; i++) {
		t->segments[i].number = r->s->segments.rows[i]->number;
		t->segments[i].bytes = r->s->segments.rows[i]->bytes;
	}
	t->n = r->s->segments.n;
	t->segments[t->n - 1].bytes = r->s->log.end.offset;
	rig_close(r);
}

static void
free_truth(struct truth *t)
{
	for (size_t i = 0; i < MESSAGES; i++) {
		free(t->state[i]);
		free(t->content[i]);
	}
	rig_clear(&t->rig);
}

static void
segment_path(const struct rig *r, uint64_t number, char out[RIG_PATH])
{
	char name[STORE_SEGMENT_NAME];

	store_segment_name(number, name);
	rig_path(r, out, "log", name);
}

/* What byte AT of a segment is part of: a message whose record or content it
 * is; a record of another kind; the frame; nothing. */
enum part { PART_NOTHING, PART_FRAME, PART_HEAD, PART_CONTENT, PART_OTHER,
	PART_BEGUN };

struct hit {
	enum part part;
	uint64_t id;
	bool is_last;			/* in the log's last group */
	bool is_file;			/* of the list and its parts */
};

static struct hit
hit_of(const uint8_t *log, uint64_t end, uint64_t at, bool is_last_segment)
{
	struct hit hit = { .part = PART_NOTHING };
	struct store_group_head head;
	uint64_t offset = 0;

	while (offset < end && store_group_get_head(span_of(log + offset,
	    (size_t)(end - offset)), &head) == OK) {
		uint64_t next = offset + store_group_size(&head);
		struct span rest = store_group_records(span_of(log + offset,
		    (size_t)(next - offset)), &head);
		struct store_record r;

		if (at < offset || at >= next) {
			offset = next;
			continue;
		}
		hit.is_last = is_last_segment && next >= end;
		at -= offset;
		if (at < STORE_GROUP_HEAD + (uint64_t)head.length +
		    STORE_GROUP_TAIL)
			hit.part = PART_FRAME;
		while (rest.n > 0 && store_record_next(&rest, &r) == OK) {
			uint64_t to = (uint64_t)(rest.p - log) - offset;

			if (at < to - r.size || at >= to)
				continue;
			hit.id = r.id;
			hit.part = r.type == STORE_RECORD_BEGUN ? PART_BEGUN :
			    r.type != STORE_RECORD_MESSAGE ? PART_OTHER : at >= to - r.content.n ?
			    PART_CONTENT : PART_HEAD;
		}
		return hit;
	}
	return hit;
}

/* HIT is the only damage.  Returns how many messages were not as before. */
static void
compare(struct truth *t, struct rig *r, const struct hit *hit, bool has_index,
    uint64_t segment, uint64_t at)
{
	for (size_t i = 0; i < MESSAGES; i++) {
		bool is_it = hit->id == t->ids[i];
		char *state, *content;
		enum err e;
		size_t n;

		look(r, t->ids[i], &state, &content, &n, &e);
		/* a log's last group that is not whole may never have been
		 * synced: without an index to say so it does not count */
		if (!has_index && hit->is_last && hit->part != PART_NOTHING &&
		    (i == MESSAGES - 1 || i == LISTED)) {
			free(state);
			free(content);
			continue;
		}
		if (state == NULL)
			cr_assert(is_it && hit->part == PART_HEAD &&
			    !has_index, "segment %ju byte %ju: message %zu is "
			    "lost", (uintmax_t)segment, (uintmax_t)at, i);
		else if (!(is_it && hit->part == PART_OTHER && !has_index))
			cr_assert_str_eq(state, t->state[i], "segment %ju "
			    "byte %ju: message %zu", (uintmax_t)segment,
			    (uintmax_t)at, i);
		if (e == OK)
			cr_assert(n == t->content_n[i] && memcmp(content,
			    t->content[i], n) == 0, "segment %ju byte %ju: "
			    "message %zu is altered", (uintmax_t)segment,
			    (uintmax_t)at, i);
		else if (state != NULL)
			cr_assert(((is_it && hit->part == PART_CONTENT) ||
			    (hit->is_file && i >= LISTED)) &&
			    e == ERR_CORRUPT, "segment %ju byte %ju: message "
			    "%zu can't be read", (uintmax_t)segment,
			    (uintmax_t)at, i);
		free(state);
		free(content);
	}
}

static void
flip(struct truth *t, size_t row, const uint8_t *log, uint64_t at,
    bool has_index)
{
	struct hit hit = hit_of(log, t->segments[row].bytes, at,
	    row + 1 == t->n);
	uint64_t number = t->segments[row].number;
	uint8_t byte = log[at] ^ (uint8_t)(1u << at % 8);
	char path[RIG_PATH];
	struct rig copy;
	int fd;

	rig_copy(&t->rig, &copy, NULL);
	segment_path(&copy, number, path);
	fd = open(path, O_WRONLY);
	cr_assert_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
	(void)close(fd);
	if (!has_index) {
		rig_path(&copy, path, "index", "data.mdb");
		cr_assert_eq(unlink(path), 0);
	}
	cr_assert_eq(rig_try_open(&copy), OK, "segment %ju byte %ju",
	    (uintmax_t)number, (uintmax_t)at);
	compare(t, &copy, &hit, has_index, number, at);
	if (hit.part == PART_CONTENT || (!has_index && !hit.is_last &&
	    hit.part != PART_NOTHING && hit.part != PART_FRAME))
		cr_assert_not_null(strstr(copy.notices, "damage"),
		    "segment %ju byte %ju is not named: %s",
		    (uintmax_t)number, (uintmax_t)at, copy.notices);
	rig_clear(&copy);
}

static void
read_log(struct truth *t, size_t row, uint8_t *log)
{
	char path[RIG_PATH];
	int fd;

	segment_path(&t->rig, t->segments[row].number, path);
	fd = open(path, O_RDONLY);
	cr_assert_geq(fd, 0);
	cr_assert_eq(pread(fd, log, (size_t)t->segments[row].bytes, 0),
	    (ssize_t)t->segments[row].bytes);
	(void)close(fd);
}

/* Bytes behind a segment's last group are nobody's. */
static uint64_t
used_bytes(const uint8_t *log, uint64_t end)
{
	struct store_group_head head;
	uint64_t at = 0;

	while (at < end && store_group_get_head(span_of(log + at,
	    (size_t)(end - at)), &head) == OK)
		at += store_group_size(&head);
	return at;
}

Test(bytes, each_byte_of_the_log_flipped, .timeout = 3600)
{
	unsigned long long step = 311, from = 3, count = ULLONG_MAX, i = 0;
	const char *wish = getenv("MTAD_BYTES");
	unsigned long done = 0;
	struct truth t;

	if (wish != NULL)
		(void)sscanf(wish, "%llu:%llu:%llu", &step, &from, &count);
	make_truth(&t);
	for (size_t row = 0; row < t.n; row++) {
		uint8_t *log = malloc((size_t)t.segments[row].bytes);

		read_log(&t, row, log);
		t.segments[row].bytes = used_bytes(log,
		    t.segments[row].bytes);
		for (uint64_t at = 0; at < t.segments[row].bytes &&
		    done < count; at++, i++) {
			if (i < from || (i - from) % step != 0)
				continue;
			flip(&t, row, log, at, true);
			flip(&t, row, log, at, false);
			done++;
		}
		free(log);
	}
	fprintf(stderr, "bytes of the log: %llu, flipped: %lu, twice each\n",
	    i, done);
	free_truth(&t);
}

/* ---- the index ---- */

enum { PAGE = 4096, WAYS = 8 };

static void
spoil_page(uint8_t *file, size_t pages, size_t page, int way)
{
	uint8_t *p = file + page * PAGE;

	switch (way) {
	case 0:
		memset(p, 0, PAGE);
		return;
	case 1:
		memset(p, 0xff, PAGE);
		return;
	case 2:				/* its number, its kind, its bounds */
	case 3:
	case 4:
		p[(way - 2) * 5 + page % 5] ^= 0x11;
		return;
	case 5:
		p[PAGE / 2 + page % 64] ^= 1;
		return;
	case 6:
		p[PAGE - 1 - page % 100] ^= 0x80;
		return;
	default:			/* changed places */
		for (size_t i = 0; i < PAGE; i++) {
			uint8_t *q = file + (page + 1) % pages * PAGE;
			uint8_t byte = p[i];

			p[i] = q[i];
			q[i] = byte;
		}
	}
}

static void
write_index(const struct rig *r, const uint8_t *file, size_t n)
{
	char path[RIG_PATH];
	int fd;

	rig_path(r, path, "index", "data.mdb");
	fd = open(path, O_WRONLY | O_TRUNC);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, file, n), (ssize_t)n);
	(void)close(fd);
}

/* Whatever was wrong: everything is there, since the log has it all. */
static void
expect_all(struct truth *t, struct rig *r, size_t page, int way)
{
	struct hit none = { .part = PART_NOTHING };

	cr_assert_eq(rig_try_open(r), OK, "page %zu way %d", page, way);
	compare(t, r, &none, true, page, (uint64_t)way);
}

static uint8_t *
read_index(const struct rig *r, size_t *n)
{
	char path[RIG_PATH];
	struct stat st;
	uint8_t *file;
	int fd;

	rig_path(r, path, "index", "data.mdb");
	fd = open(path, O_RDONLY);
	cr_assert_eq(fstat(fd, &st), 0);
	file = malloc((size_t)st.st_size);
	cr_assert_eq(read(fd, file, (size_t)st.st_size), st.st_size);
	(void)close(fd);
	*n = (size_t)st.st_size;
	return file;
}

Test(bytes, each_page_of_the_index_damaged, .timeout = 3600)
{
	unsigned long cases = 0, rebuilt = 0;
	uint8_t *file, *bad;
	struct truth t;
	size_t n;

	make_truth(&t);
	file = read_index(&t.rig, &n);
	bad = malloc(n);
	for (size_t page = 0; page < n / PAGE; page++) {
		for (int way = 0; way < WAYS; way++) {
			struct rig copy;

			memcpy(bad, file, n);
			spoil_page(bad, n / PAGE, page, way);
			rig_copy(&t.rig, &copy, NULL);
			write_index(&copy, bad, n);
			expect_all(&t, &copy, page, way);
			cases++;
			rebuilt += strstr(copy.notices, "index-rebuilt") !=
			    NULL;
			rig_clear(&copy);
		}
	}
	fprintf(stderr, "damaged pages: %lu, of them set aside: %lu (the "
	    "others are free, or what changed means nothing)\n", cases,
	    rebuilt);
	cr_assert_gt(rebuilt, cases / 3);
	free(bad);
	free(file);
	free_truth(&t);
}

Test(bytes, the_index_cut_off_at_each_page, .timeout = 3600)
{
	uint8_t *file;
	struct truth t;
	size_t n;

	make_truth(&t);
	file = read_index(&t.rig, &n);
	for (size_t cut = 0; cut < n; cut += PAGE / 2) {
		struct rig copy;

		rig_copy(&t.rig, &copy, NULL);
		write_index(&copy, file, cut);
		expect_all(&t, &copy, cut / PAGE, -1);
		rig_clear(&copy);
	}
	free(file);
	free_truth(&t);
}

/* A row that is found damaged while the store serves: the next start knows. */
Test(bytes, a_damaged_row_sends_the_index_aside_at_the_next_start)
{
	struct truth t;
	char path[RIG_PATH];
	int fd;

	make_truth(&t);
	rig_path(&t.rig, path, "index", "damaged");
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	(void)close(fd);
	expect_all(&t, &t.rig, 0, 0);
	cr_assert_not_null(strstr(t.rig.notices, "index-rebuilt"));
	rig_close(&t.rig);
	rig_open(&t.rig);
	cr_assert_null(strstr(t.rig.notices, "index-rebuilt"));
	free_truth(&t);
}

/* ---- the file of a list ---- */

/* Each recipient of PART is the next one, as it came. */
static void
see_part(struct store_message *m, struct store_unit *unit, uint64_t at)
{
	cr_assert_eq(m->recipients, 1, "byte %ju", (uintmax_t)at);
	cr_assert(span_equal(unit->recipients[0].address,
	    SPAN_LIT("u6@d0.example")), "byte %ju", (uintmax_t)at);
}

static void
flip_file(struct truth *t, const char *name, uint64_t at)
{
	struct hit none = { .part = PART_NOTHING };
	struct store_unit *part;
	char path[RIG_PATH];
	struct rig copy;
	uint8_t byte;
	enum err e;
	int fd;

	rig_copy(&t->rig, &copy, NULL);
	rig_path(&copy, path, "body", name);
	fd = open(path, O_RDWR);
	cr_assert_eq(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= (uint8_t)(1u << at % 8);
	cr_assert_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
	(void)close(fd);
	rig_open(&copy);
	none.is_file = true;
	compare(t, &copy, &none, true, 0, at);
	e = rig_list_try_begin(&copy, t->ids[LISTED], &part);
	cr_assert(e == OK || e == ERR_CORRUPT, "byte %ju", (uintmax_t)at);
	if (e == OK)
		see_part(part->message, part, at);
	else
		cr_assert_not_null(strstr(copy.notices, "content-damage"));
	rig_clear(&copy);
}

/* Its recipients and the body of all its parts: nobody gets what is altered,
 * nobody is sent to who is not on it, and all others go on. */
Test(bytes, each_byte_of_a_lists_file_flipped, .timeout = 600)
{
	char path[RIG_PATH], name[32];
	struct truth t;
	struct stat st;

	make_truth(&t);
	(void)snprintf(name, sizeof(name), "body.%016jx",
	    (uintmax_t)t.ids[LISTED]);
	rig_path(&t.rig, path, "body", name);
	cr_assert_eq(stat(path, &st), 0);
	for (uint64_t at = 0; at < (uint64_t)st.st_size; at += 11)
		flip_file(&t, name, at);
	free_truth(&t);
}
