/*
 * Versions: what is newer is refused, by a sentence that says so, and
 * what this version wrote is read for ever: fixtures/spool-1.tar.xz holds every
 * kind of record but those of lists, which spool-1-lists.tar.xz has; a .txt beside
 * each is what it says.
 *
 * A fixture is made once, when a format is new, and never again:
 *     MTAD_FIXTURE=$PWD/tests/unit/store/fixtures \
 *         build/asan/tests/test_store_format --filter format/make_lists
 */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/crc32c.h"
#include "common/mail/envelope.h"
#include "common/os/clock.h"
#include "queued/store/store_group.h"
#include "queued/store/store_list.h"
#include "queued/store/store_private.h"
#include "queued/store/store_row.h"
#include "tests/unit/store/rig_list.h"

/* A file of the tree's; ctest says where that is. */
static const char *
fixture(const char *name)
{
	static char path[RIG_PATH];
	const char *source = getenv("MTAD_SOURCE");

	(void)snprintf(path, sizeof(path), "%s/tests/unit/store/fixtures/%s",
	    source != NULL ? source : ".", name);
	return path;
}

static void
shell(const char *format, const char *a, const char *b)
{
	char command[4 * RIG_PATH];

	(void)snprintf(command, sizeof(command), format, a, b);
	cr_assert_eq(system(command), 0, "%s", command);
}

static int
open_segment(const struct rig *r, uint64_t number)
{
	char name[STORE_SEGMENT_NAME], path[RIG_PATH];
	int fd;

	store_segment_name(number, name);
	rig_path(r, path, "log", name);
	cr_assert_geq(fd = open(path, O_RDWR), 0);
	return fd;
}

/* ---- what is newer ---- */

/* A spool with a message; where the group behind it would begin. */
static struct store_position
make_spool(struct rig *r)
{
	struct store_position end;

	rig_init(r);
	rig_open(r);
	(void)rig_submit(r, "a@one.example", "x\r\n");
	rig_sync(r);
	end = r->s->log.end;
	rig_kill(r, NULL);
	return end;
}

/* Appends a whole group as a later version might have written it: a record of
 * TYPE with FLAGS and form VERSION, in a group of version GROUP_VERSION. */
static void
append(const struct rig *r, const struct store_position *end, int type,
    uint16_t flags, uint8_t version, uint32_t group_version)
{
	struct store_group_head head = { .sequence = end->sequence + 1,
	    .segment = end->segment, .offset = end->offset,
	    .synced = end->sequence, .start = 1, .chain = end->sum };
	struct buf b;
	uint32_t sum, n;
	size_t at;
	int fd = open_segment(r, end->segment);

	buf_init(&b, 1 << 16);
	store_group_begin(&b);
	at = store_record_begin(&b);
	store_record_put_hold(&b, true);
	store_record_end(&b, at, STORE_RECORD_HOLD, (uint64_t)1 << 40 | 1, 0);
	n = (uint32_t)(b.n - at);
	b.p[at + 4] = (uint8_t)type;
	b.p[at + 5] = version;
	b.p[at + 6] = (uint8_t)flags;
	wire_patch_u32(&b, at, crc32c(0, b.p + at + 4, n - 4));
	cr_assert_eq(store_group_end(&b, &head, &sum), OK);
	wire_patch_u32(&b, 12, group_version);
	wire_patch_u32(&b, 8, crc32c(0, b.p + 12, STORE_GROUP_HEAD - 12));
	/* the tail's sum covers the head */
	sum = crc32c(crc32c(0, b.p, STORE_GROUP_HEAD), b.p + at, 4);
	wire_patch_u32(&b, STORE_GROUP_HEAD + n + 4, sum);
	cr_assert_eq(pwrite(fd, b.p, b.n, (off_t)end->offset), (ssize_t)b.n);
	(void)close(fd);
	buf_clear(&b);
}

static void
check_refused(struct rig *r)
{
	cr_assert_eq(rig_try_open(r), ERR_VERSION);
	cr_assert_not_null(strstr(r->why, "newer version"), "%s", r->why);
	/* and nothing was done to it: a newer one can go on */
	cr_assert_eq(rig_count_files(r, "log", "log."), 1);
	rig_clear(r);
}

Test(format, a_spool_of_a_later_format_is_refused)
{
	struct rig r;
	char path[RIG_PATH];

	(void)make_spool(&r);
	rig_path(&r, path, "", "spool");
	shell("sed -i 's/spool 1/spool 2/' %s%s", path, "");
	cr_assert_eq(rig_try_open(&r), ERR_VERSION);
	cr_assert_not_null(strstr(r.why, "format 2"), "%s", r.why);
	shell("sed -i 's/spool 2/spool 1/' %s%s", path, "");
	rig_open(&r);
	cr_assert_eq(r.s->count.messages, 1);
	rig_clear(&r);
}

Test(format, a_group_of_a_later_version_is_refused)
{
	struct store_position end;
	struct rig r;

	end = make_spool(&r);
	append(&r, &end, STORE_RECORD_HOLD, 0, 1, 2);
	check_refused(&r);
}

Test(format, a_record_of_a_later_version_is_refused)
{
	struct store_position end;
	struct rig r;

	end = make_spool(&r);
	append(&r, &end, STORE_RECORD_HOLD, 0, 2, 1);
	check_refused(&r);
}

Test(format, an_unknown_record_is_refused_unless_it_may_be_passed_over)
{
	struct store_position end;
	struct rig r;

	end = make_spool(&r);
	append(&r, &end, 99, 0, 1, 1);
	check_refused(&r);
	end = make_spool(&r);
	append(&r, &end, 99, STORE_RECORD_SKIPPABLE, 1, 1);
	rig_open(&r);
	cr_assert_eq(r.s->count.messages, 1);
	cr_assert_eq(r.notice_count, 0, "%s", r.notices);
	/* the log goes on behind it */
	cr_assert_gt(r.s->log.end.sequence, end.sequence + 1);
	rig_clear(&r);
	/* and what the helper makes is otherwise right */
	end = make_spool(&r);
	append(&r, &end, STORE_RECORD_HOLD, 0, 1, 1);
	rig_open(&r);
	cr_assert(store_find_unit(r.s, (uint64_t)1 << 40 | 1,
	    0)->message->is_held);
	rig_clear(&r);
}

/* An index is made from the log: any other format is set aside. */
Test(format, an_index_of_another_format_is_made_again)
{
	struct store_row_key key = { .n = 8 };
	struct span name = store_index_meta_key();
	struct store_row_key own = { .n = (uint8_t)name.n };
	struct store_index *index;
	struct rig r;
	struct why why;
	struct buf ops;
	char path[RIG_PATH];
	size_t at;

	rig_init(&r);
	rig_open(&r);
	(void)rig_submit(&r, "a@one.example", "x\r\n");
	rig_checkpoint(&r);
	rig_close(&r);
	rig_path(&r, path, "index", "");
	cr_assert_eq(store_index_open(path, 0, &index, &why), OK);
	buf_init(&ops, 1 << 12);
	memcpy(own.p, name.p, name.n);
	store_index_delete(&ops, STORE_TABLE_META, &own);
	memcpy(key.p, "format-9", 8);
	at = store_index_put(&ops, STORE_TABLE_META, &key);
	buf_add_str(&ops, "whatever");
	store_index_put_end(&ops, at);
	cr_assert_eq(store_index_apply(index, buf_span(&ops)), OK);
	store_index_close(&index);
	buf_clear(&ops);
	rig_open(&r);
	cr_assert_not_null(strstr(r.notices, "index-rebuilt"));
	cr_assert_eq(r.s->count.messages, 1);
	cr_assert_eq(rig_count_files(&r, "index.aside", "data"), 1);
	rig_clear(&r);
}

/* ---- what this version wrote ---- */

static bool
add_content(void *ctx, const struct store_message *m,
    struct store_unit *const *units)
{
	struct rig *r = ctx;
	struct buf b;

	(void)units;
	buf_init(&b, 1 << 20);
	cr_assert_eq(store_content(r->s, m, 0, 1 << 19, &b), OK);
	cr_assert_eq(b.n, store_message_size(m));
	/* it shows that each byte is there: not only that it is sound */
	r->body_bytes = r->body_bytes * 31 + crc32c(0, b.p, b.n);
	buf_clear(&b);
	return true;
}

static char *
describe(struct rig *r)
{
	char *dump = rig_dump(r), *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	r->body_bytes = 0;
	(void)store_walk(r->s, 0, 1000, add_content, r);
	fprintf(out, "%scontents %016jx\n", dump, (uintmax_t)r->body_bytes);
	(void)fclose(out);
	free(dump);
	return text;
}

static char *
expected(const char *name)
{
	static char text[1 << 16];
	char file[64];
	FILE *f;

	(void)snprintf(file, sizeof(file), "%s.txt", name);
	f = fopen(fixture(file), "r");

	cr_assert_not_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	(void)fclose(f);
	return text;
}

static void
unpack(struct rig *r, const char *name)
{
	char file[64];

	rig_init(r);
	(void)snprintf(file, sizeof(file), "%s.tar.xz", name);
	shell("tar -xJf %s -C %s", fixture(file), r->dir);
}

static void
read_fixture(const char *name)
{
	char *text, path[RIG_PATH];
	struct rig r;

	unpack(&r, name);
	for (int i = 0; i < 3; i++) {
		rig_open(&r);
		/* its index may be of an older format than today's */
		cr_assert(r.notice_count == 0 || (i == 0 &&
		    strcmp(r.notices, "index-rebuilt ") == 0), "%s",
		    r.notices);
		text = describe(&r);
		cr_assert_str_eq(text, expected(name));
		free(text);
		rig_checkpoint(&r);
		rig_close(&r);
		/* with its index, with a new one, without */
		if (i == 1) {
			rig_path(&r, path, "index", "data.mdb");
			cr_assert_eq(unlink(path), 0);
		}
	}
	rig_clear(&r);
}

Test(format, a_spool_of_format_1_is_read)
{
	read_fixture("spool-1");
	read_fixture("spool-1-lists");
}

static unsigned
types_in(const struct rig *r, uint64_t segment)
{
	static uint8_t p[1 << 20];
	int fd = open_segment(r, segment);
	ssize_t n = pread(fd, p, sizeof(p), 0);
	unsigned types = 0;

	(void)close(fd);
	for (size_t at = 0; at + STORE_BLOCK <= (size_t)n; at += STORE_BLOCK) {
		struct store_group_head head;
		struct span bytes = span_of(p + at, (size_t)n - at), records;
		struct store_record rec;

		if (store_group_get_head(bytes, &head) != OK ||
		    head.segment != segment)
			continue;
		records = store_group_records(bytes, &head);
		while (records.n > 0 &&
		    store_record_next(&records, &rec) == OK)
			types |= 1U << rec.type;
	}
	return types;
}

static unsigned
types_of(const char *name, uint64_t bodies)
{
	unsigned types = 0;
	struct rig r;

	unpack(&r, name);
	for (uint64_t i = 1; i < 9; i++) {
		char name[STORE_SEGMENT_NAME], path[RIG_PATH];

		store_segment_name(i, name);
		rig_path(&r, path, "log", name);
		if (access(path, F_OK) == 0)
			types |= types_in(&r, i);
	}
	cr_assert_eq(rig_count_files(&r, "body", "body."), bodies);
	cr_assert_eq(rig_count_files(&r, "index", "data.mdb"), 1);
	rig_clear(&r);
	return types;
}

/* Or what it says of reading them would be worth nothing. */
Test(format, the_fixture_has_every_kind_of_record)
{
	unsigned types = types_of("spool-1", 1);

	cr_assert_eq(types, 1U << 1 | 1U << 2 | 1U << 3 | 1U << 4 | 1U << 5 |
	    1U << 6 | 1U << 8, "%x", types);
	types = types_of("spool-1-lists", 2);
	cr_assert_eq(types & (1U << 1 | 1U << 6 | 1U << 10), 1U << 1 |
	    1U << 6 | 1U << 10, "%x", types);
}

/* ---- how the fixture was made ---- */

static void
add_states(struct rig *r)
{
	struct store_unit *u = rig_submit(r,
	    "a@one.example b@one.example c@two.example", "several\r\n");

	(void)rig_verdict(r, u, 1, 1, true, 5000, "this one is done");
	(void)rig_verdict(r, u, 0, 0, false, 6000, "try later");
	u = rig_submit(r, "held@one.example", "held\r\n");
	cr_assert_eq(store_hold(r->s, u->message, true), OK);
	u = rig_submit(r, "later@one.example", "later\r\n");
	cr_assert_eq(store_reschedule(r->s, u, 7000), OK);
	u = rig_submit(r, "leased@one.example", "leased\r\n");
	cr_assert_eq(store_note_lease(r->s, u, 4711), OK);
	rig_sync(r);
}

static void
add_large(struct rig *r)
{
	uint64_t token = r->next_token;
	uint8_t *p = malloc(100000);

	for (size_t i = 0; i < 100000; i++)
		p[i] = (uint8_t)(i * 31 + i / 251);
	cr_assert_eq(store_body_open(r->s, token), OK);
	cr_assert_eq(store_body_add(r->s, token, span_of(p, 100000)), OK);
	cr_assert_eq(store_body_close(r->s, token), OK);
	while (!r->is_body_closed)
		rig_turn(r, 100);
	(void)rig_submit(r, "large@one.example", NULL);
	rig_sync(r);
	free(p);
}

/* Keeps R's spool as fixture NAME, and what it says. */
static void
keep(struct rig *r, const char *to, const char *name)
{
	char path[RIG_PATH], target[2 * RIG_PATH], *text, *again;
	struct rig copy;
	FILE *f;

	rig_copy(r, &copy, NULL);
	rig_path(&copy, path, "", "");
	(void)snprintf(target, sizeof(target), "%s/%s.tar.xz", to, name);
	shell("cd %s && rm -f log/spare.* lock && tar -cJSf %s "
	    "--owner=0 --group=0 --mtime=@0 --sort=name *", path, target);
	rig_open(&copy);
	text = describe(&copy);
	rig_close(&copy);
	rig_path(&copy, path, "index", "data.mdb");
	cr_assert_eq(unlink(path), 0);
	rig_open(&copy);
	again = describe(&copy);
	cr_assert_str_eq(text, again);
	(void)snprintf(target, sizeof(target), "%s/%s.txt", to, name);
	cr_assert_not_null(f = fopen(target, "w"));
	(void)fputs(text, f);
	(void)fclose(f);
	free(text);
	free(again);
	rig_clear(&copy);
}

static void
compact(struct rig *r)
{
	r->s->compact.is_forced = true;
	store_flush(r->s, clock_mono_ms());
	while (r->s->compact.segment != 0)
		rig_turn(r, 10);
	rig_sync(r);
}

Test(format, make)
{
	const char *to = getenv("MTAD_FIXTURE");
	struct rig r;

	if (to == NULL)
		cr_skip_test("makes a fixture only when it is asked to");
	rig_init(&r);
	rig_open(&r);
	add_large(&r);
	add_states(&r);
	rig_next_segment(&r);
	compact(&r);
	rig_next_segment(&r);
	add_states(&r);
	rig_next_segment(&r);
	/* the index has all of this, and not what follows */
	add_states(&r);
	keep(&r, to, "spool-1");
	rig_clear(&r);
}

Test(format, make_lists)
{
	const char *to = getenv("MTAD_FIXTURE");
	struct store_unit *u;
	uint64_t id, other;
	struct rig r;

	if (to == NULL)
		cr_skip_test("makes a fixture only when it is asked to");
	rig_init(&r);
	r.list_block = 3;
	rig_open(&r);
	id = rig_list(&r, 7);
	u = rig_list_begin(&r, id);
	(void)rig_verdict(&r, u, 0, 0, true, 1, "this one is done");
	rig_next_segment(&r);
	compact(&r);
	(void)rig_list_begin(&r, id);
	/* all of this one is begun, and its list is over */
	other = rig_list(&r, 7);
	for (int i = 0; i < 3; i++)
		(void)rig_list_begin(&r, other);
	cr_assert_eq(store_load_unit(r.s, other, 0, &u), OK);
	(void)rig_verdict(&r, u, 0, 0, true, 1, "begun");
	rig_next_segment(&r);
	(void)rig_list_begin(&r, id);
	keep(&r, to, "spool-1-lists");
	rig_clear(&r);
}
