/* Large bodies: files that exist with their record and go with it. */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "queued/store/store_private.h"
#include "tests/unit/store/store_rig.h"

enum { BODY = 300000, CHUNK = 70000 };

static uint8_t
byte_at(size_t i)
{
	return (uint8_t)(i * 31 + i / 251);
}

static void
add_all(struct rig *r, uint64_t token, size_t n)
{
	uint8_t *p = malloc(CHUNK);

	for (size_t at = 0; at < n;) {
		size_t k = n - at < CHUNK ? n - at : CHUNK;

		for (size_t i = 0; i < k; i++)
			p[i] = byte_at(at + i);
		cr_assert_eq(store_body_add(r->s, token, span_of(p, k)), OK);
		at += k;
		while (r->body_bytes < at && r->body_error == OK)
			rig_turn(r, 100);
	}
	free(p);
}

static uint64_t
submit_large(struct rig *r, size_t n)
{
	struct store_unit *u;
	uint64_t token = r->next_token;

	r->body_bytes = 0;
	r->is_body_closed = false;
	cr_assert_eq(store_body_open(r->s, token), OK);
	cr_assert_eq(store_body_open(r->s, token), ERR_EXISTS);
	add_all(r, token, n);
	cr_assert_eq(rig_try_submit(r, "a@b.example", NULL, &u),
	    ERR_NOT_FOUND);
	cr_assert_eq(store_body_close(r->s, token), OK);
	while (!r->is_body_closed)
		rig_turn(r, 100);
	u = rig_submit(r, "a@b.example", NULL);
	cr_assert_eq(u->message->place.body_bytes, n);
	cr_assert(u->message->place.is_file);
	return u->message->id;
}

static void
check_all(struct rig *r, uint64_t id, size_t n, size_t step)
{
	struct store_unit *u = store_find_unit(r->s, id, 0);
	struct buf b;
	size_t trace, size;

	cr_assert_not_null(u);
	trace = u->message->place.trace_bytes;
	size = (size_t)store_message_size(u->message);
	cr_assert_eq(size, trace + n);
	buf_init(&b, 1 << 20);
	for (size_t at = 0; at < size; at += step) {
		size_t before = b.n;

		cr_assert_eq(store_content(r->s, u->message, at, step, &b),
		    OK);
		cr_assert_eq(b.n - before,
		    size - at < step ? size - at : step);
	}
	cr_assert_eq(b.n, size);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(b.p[trace + i], byte_at(i));
	buf_clear(&b);
}

Test(body, what_was_streamed_is_read_in_any_parts)
{
	static const size_t sizes[] = { 1, 65535, 65536, 65537, 131072, BODY };
	struct rig r;
	uint64_t id;

	rig_init(&r);
	rig_open(&r);
	for (size_t i = 0; i < 6; i++) {
		id = submit_large(&r, sizes[i]);
		rig_sync(&r);
		check_all(&r, id, sizes[i], 7001);
		check_all(&r, id, sizes[i], 65536);
		check_all(&r, id, sizes[i], 1 << 20);
	}
	rig_kill(&r, NULL);
	rig_open(&r);
	check_all(&r, id, BODY, 100000);
	cr_assert_eq(rig_count_files(&r, "body", "body."), 6);
	rig_clear(&r);
}

Test(body, its_file_goes_with_the_message)
{
	struct store_unit *u;
	struct rig r;
	uint64_t id;

	rig_init(&r);
	rig_open(&r);
	id = submit_large(&r, BODY);
	rig_sync(&r);
	cr_assert_eq(rig_count_files(&r, "body", "body."), 1);
	u = store_find_unit(r.s, id, 0);
	cr_assert(rig_verdict(&r, u, 0, 0, true, 1, "ok"));
	/* the verdict is not durable yet */
	cr_assert_eq(rig_count_files(&r, "body", "body."), 1);
	rig_sync(&r);
	for (int i = 0; i < 100; i++) {
		rig_turn(&r, 10);
		if (rig_count_files(&r, "body", "body.") == 0)
			break;
	}
	cr_assert_eq(rig_count_files(&r, "body", "body."), 0);
	rig_clear(&r);
}

Test(body, files_without_a_record_go_at_the_next_start)
{
	struct rig r;

	rig_init(&r);
	rig_open(&r);
	/* one without a record, one whose record is never durable */
	cr_assert_eq(store_body_open(r.s, 7), OK);
	add_all(&r, 7, BODY);
	(void)submit_large(&r, BODY);
	rig_kill(&r, NULL);
	cr_assert_eq(rig_count_files(&r, "body", "body."), 2);
	rig_open(&r);
	cr_assert_eq(rig_count_files(&r, "body", "body."), 0);
	rig_clear(&r);
}

Test(body, a_dropped_one_leaves_nothing)
{
	struct rig r;

	rig_init(&r);
	rig_open(&r);
	cr_assert_eq(store_body_open(r.s, 7), OK);
	add_all(&r, 7, BODY);
	store_body_drop(r.s, 7);
	store_body_drop(r.s, 7);
	cr_assert_eq(store_body_add(r.s, 7, SPAN_LIT("x")), ERR_NOT_FOUND);
	/* one that is dropped with all its jobs still waiting */
	cr_assert_eq(store_body_open(r.s, 8), OK);
	for (int i = 0; i < 20; i++)
		cr_assert_eq(store_body_add(r.s, 8, SPAN_LIT("xyz")), OK);
	store_body_drop(r.s, 8);
	rig_close(&r);
	cr_assert_eq(rig_count_files(&r, "body", "body."), 0);
	rig_clear(&r);
}

Test(body, more_than_its_credit_is_refused)
{
	uint8_t *p = calloc(1, 1 << 20);
	struct rig r;
	enum err e = OK;
	int n = 0;

	rig_init(&r);
	rig_open(&r);
	cr_assert_eq(store_body_open(r.s, 7), OK);
	for (; n < 100 && e == OK; n++)
		e = store_body_add(r.s, 7, span_of(p, 1 << 20));
	cr_assert_eq(e, ERR_FULL);
	cr_assert_leq(n, 3);
	free(p);
	rig_clear(&r);
}

Test(body, a_failed_write_is_told)
{
	struct rig r;

	rig_init(&r);
	r.io = rig_io_new();
	rig_open(&r);
	while (r.s->spares.count < STORE_SPARES)
		rig_turn(&r, 10);
	cr_assert_eq(store_body_open(r.s, 7), OK);
	(void)pthread_mutex_lock(&r.io->lock);
	r.io->fail_write = r.io->pwrites + 1;
	r.io->fail_errno = ENOSPC;
	(void)pthread_mutex_unlock(&r.io->lock);
	cr_assert_eq(store_body_add(r.s, 7, SPAN_LIT("x")), OK);
	while (r.body_error == OK)
		rig_turn(&r, 100);
	cr_assert_eq(r.body_error, ERR_FULL);
	cr_assert_eq(store_body_add(r.s, 7, SPAN_LIT("x")), ERR_FULL);
	store_body_drop(r.s, 7);
	rig_clear(&r);
}

/* */
Test(body, a_flipped_bit_is_found_and_spoils_only_its_block)
{
	char path[RIG_PATH], name[64];
	struct store_unit *u;
	struct buf b;
	struct rig r;
	uint64_t id;
	int fd;

	buf_init(&b, 1 << 20);
	rig_init(&r);
	rig_open(&r);
	id = submit_large(&r, BODY);
	rig_sync(&r);
	(void)snprintf(name, sizeof(name), "body.%016jx", (uintmax_t)id);
	rig_path(&r, path, "body", name);
	fd = open(path, O_WRONLY);
	cr_assert_eq(pwrite(fd, "\xff\xff", 2, 70000), 2);
	u = store_find_unit(r.s, id, 0);
	cr_assert_eq(store_content(r.s, u->message, 0, 1000, &b), OK);
	cr_assert_eq(store_content(r.s, u->message, 69000, 2000, &b),
	    ERR_CORRUPT);
	cr_assert_eq(b.n, 1000);
	cr_assert(u->message->is_quarantined);
	/* the table */
	cr_assert_eq(pwrite(fd, "\xff\xff", 2, BODY + 1), 2);
	cr_assert_eq(store_content(r.s, u->message, 0, 20, &b), OK,
	    "the trace comes from the log");
	cr_assert_eq(store_content(r.s, u->message, 200000, 1000, &b),
	    ERR_CORRUPT);
	/* made anew it does not match either, for one byte is wrong */
	r.s->remakes_tables = true;
	cr_assert_eq(store_content(r.s, u->message, 200000, 1000, &b),
	    ERR_CORRUPT);
	(void)close(fd);
	buf_clear(&b);
	rig_clear(&r);
}

/* for a salvage, all bytes prove a table that was made of them. */
Test(body, a_damaged_table_is_made_anew)
{
	char path[RIG_PATH], name[64];
	struct rig r;
	uint64_t id;

	rig_init(&r);
	rig_open(&r);
	id = submit_large(&r, BODY);
	rig_sync(&r);
	r.s->remakes_tables = true;
	(void)snprintf(name, sizeof(name), "body.%016jx", (uintmax_t)id);
	rig_path(&r, path, "body", name);
	/* some of it wrong, the end of it missing, all of it missing */
	for (off_t left = BODY + 30; left >= BODY; left -= 15) {
		int fd = open(path, O_WRONLY);

		cr_assert_eq(pwrite(fd, "\xff\xff", 2, BODY + 1), 2);
		cr_assert_eq(ftruncate(fd, left), 0);
		(void)close(fd);
		check_all(&r, id, BODY, 100000);
	}
	rig_clear(&r);
}

/* What queued does: submits, or drops, from inside on_body. */
struct eager {
	struct rig *rig;
	bool drops;
	bool was_told;
};

static struct eager eager;

static void
act_at_once(void *ctx, uint64_t token, uint64_t bytes, bool is_closed,
    enum err e)
{
	struct store_unit *u;

	(void)ctx;
	(void)bytes;
	cr_assert_eq(e, OK);
	if (!is_closed)
		return;
	eager.was_told = true;
	eager.rig->next_token = token;
	if (eager.drops)
		store_body_drop(eager.rig->s, token);
	else
		cr_assert_eq(rig_try_submit(eager.rig, "a@b.example", NULL,
		    &u), OK);
}

Test(body, it_may_be_submitted_or_dropped_from_inside_the_call)
{
	for (int drops = 0; drops < 2; drops++) {
		struct store_figures f;
		struct rig r;

		rig_init(&r);
		rig_open(&r);
		eager = (struct eager){ .rig = &r, .drops = drops == 1 };
		r.s->ops.on_body = act_at_once;
		cr_assert_eq(store_body_open(r.s, 5), OK);
		cr_assert_eq(store_body_add(r.s, 5, SPAN_LIT("abc")), OK);
		cr_assert_eq(store_body_close(r.s, 5), OK);
		while (!eager.was_told)
			rig_turn(&r, 100);
		rig_sync(&r);
		store_figures(r.s, &f);
		cr_assert_eq(f.messages, drops == 1 ? 0 : 1);
		rig_clear(&r);
	}
}
