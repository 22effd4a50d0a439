/* keep_store, keep_known: what a history tells, done in a store */
#include "queued/keep/keep_known.h"

#include "common/ipc/ipc_words.h"
#include "common/mail/envelope.h"
#include "common/mail/queue_id.h"
#include "common/os/file.h"
#include "queued/journal/journal_event.h"
#include "queued/journal/journal_files.h"
#include "queued/keep/keep_mail.h"
#include "queued/store/store_body.h"
#include "queued/store/store_list.h"
#include "queued/store/store_read.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AT = 1000000 };

static const uint8_t spool[16] = { 1, 2, 3 };
static uint64_t ids[8];

/* ---- a spool in a directory of its own ---- */

static void
enter(void)
{
	char name[] = "/tmp/mtad-keep.XXXXXX";

	cr_assert_not_null(mkdtemp(name));
	cr_assert_eq(chdir(name), 0);
}

static void
leave(void)
{
	char name[64], command[128];

	cr_assert_not_null(getcwd(name, sizeof(name)));
	cr_assert_eq(strncmp(name, "/tmp/mtad-keep.", 15), 0);
	(void)snprintf(command, sizeof(command), "rm -rf %s", name);
	cr_assert_eq(chdir("/"), 0);
	cr_assert_eq(system(command), 0);
}

TestSuite(known, .init = enter, .fini = leave);

static struct span
one_unit(void *ctx, struct span recipient)
{
	(void)ctx;
	(void)recipient;
	return SPAN_LIT("unit");
}

/* A message to three recipients. */
static uint64_t
submit(struct keep_store *k)
{
	static const char *const names[] = { "a@x", "b@x", "c@x" };
	struct store_submission sub = { .arrived_at = AT,
	    .body = SPAN_LIT("body\r\n"), .key_of = one_unit,
	    .trace_head = SPAN_LIT("Received: x\r\n") };
	struct envelope e = { .sender = SPAN_LIT("s@y") };
	struct store_unit *u;
	struct buf b;
	uint64_t id;

	buf_init(&b, 4096);
	envelope_put_head(&e, &b);
	for (size_t i = 0; i < 3; i++) {
		struct envelope_rcpt r = { .address = span_str(names[i]) };

		envelope_put_rcpt(&r, &b);
	}
	sub.envelope = buf_span(&b);
	cr_assert_eq(store_submit(k->store, &sub, &u), OK);
	buf_clear(&b);
	id = u->message->id;
	keep_store_yield(k, id);
	return id;
}

static void
fill(struct keep_store *k, size_t n)
{
	struct why why = { "" };

	cr_assert_eq(keep_store_open(k, 500, NULL, &why), OK, "%s", why.text);
	for (size_t i = 0; i < n; i++)
		ids[i] = submit(k);
	cr_assert_eq(keep_store_sync(k), OK);
	cr_assert_eq(ids[0] >> 40, 500, "ids begin where they should");
}

/* ---- its history ---- */

struct told {
	struct buf records;
};

static void
tell_result(struct told *t, uint64_t id, uint64_t at, uint64_t row,
    uint8_t outcome, uint8_t flags)
{
	struct journal_attempt a = { .at = at, .due_at = AT + 777,
	    .tries = 4 };
	struct journal_result r = { .first = row, .last = row,
	    .outcome = outcome, .host = JOURNAL_NO_HOST, .code = 250,
	    .is_settled = outcome != OUTCOME_DEFERRED,
	    .status = SPAN_LIT("2.0.0"), .text = SPAN_LIT("words") };
	struct buf list;

	buf_init(&list, 4096);
	cr_assert(journal_result_put(&list, &r));
	a.results = buf_span(&list);
	journal_attempt_put(&t->records, id, flags, &a);
	buf_clear(&list);
}

static void
tell_action(struct told *t, uint64_t id, uint64_t kind, uint64_t value)
{
	struct journal_action a = { .at = AT, .kind = kind, .value = value };

	journal_action_put(&t->records, id, &a);
}

static void
tell_accepted(struct told *t, uint64_t id)
{
	struct journal_accepted a = { .at = AT, .recipients = 3 };

	journal_accepted_put(&t->records, id, &a);
}

/* Its last mark is GROUP. */
static void
write_history(struct told *t, uint64_t group)
{
	struct journal_files f;
	int dir = open(".", O_RDONLY | O_DIRECTORY);

	cr_assert_eq(journal_files_open(dir, &store_io_system, true, &f), OK);
	journal_files_set_uuid(&f, spool);
	journal_mark_put(&t->records, group, AT);
	cr_assert_eq(journal_files_append(&f, buf_span(&t->records), group,
	    AT), OK);
	journal_files_close(&f);
	buf_reset(&t->records);
	close(dir);
}

static struct survey_manifest
copy_up_to(uint64_t group)
{
	struct survey_manifest m = { .end = { .segment = 1,
	    .sequence = group }, .is_complete = true };

	memcpy(m.uuid, spool, sizeof(spool));
	return m;
}

/* ---- what is left ---- */

struct left {
	uint32_t count, tries;
	uint64_t due_at;
	bool is_held, is_there;
	char rows[8];
};

static bool
look(void *ctx, const struct store_message *m, struct store_unit *const *units)
{
	struct left *l = ctx;

	*l = (struct left){ .count = m->left, .is_held = m->is_held,
	    .is_there = true };
	for (; *units != NULL; units++) {
		l->tries = (*units)->tries;
		l->due_at = (*units)->due_at;
		for (uint32_t i = 0; i < (*units)->count; i++)
			l->rows[i] = (*units)->recipients[i].is_settled ?
			    '-' : (char)('a' + i);
	}
	return true;
}

static struct left
left_of(struct keep_store *k, uint64_t id)
{
	struct left l = { .is_there = false };

	(void)store_show(k->store, id, look, &l);
	return l;
}

/* ---- tests ---- */

Test(known, each_end_is_done_again)
{
	struct survey_manifest m = copy_up_to(5);
	struct keep_known *n = malloc(sizeof(*n));
	struct keep_store k;
	struct told t;
	struct why why = { "" };
	struct buf missing;
	uint64_t id;

	cr_assert_not_null(n);
	buf_init(&t.records, 1 << 20);
	buf_init(&missing, 1 << 20);
	fill(&k, 6);
	/* all of them; one; for now; held and one that was released; refused
	 * with a report that arrived, and with one that did not */
	tell_accepted(&t, ids[0]);
	for (uint64_t row = 0; row < 3; row++)
		tell_result(&t, ids[0], AT + 1, row, OUTCOME_DELIVERED,
		    row == 2 ? JOURNAL_IS_OVER : 0);
	tell_result(&t, ids[1], AT + 1, 1, OUTCOME_DELIVERED, 0);
	tell_result(&t, ids[1], AT + 2, 0, OUTCOME_DEFERRED, 0);
	tell_action(&t, ids[2], JOURNAL_HELD, 0);
	tell_action(&t, ids[3], JOURNAL_HELD, 0);
	tell_action(&t, ids[3], JOURNAL_RELEASED, 0);
	tell_result(&t, ids[4], AT + 1, 0, OUTCOME_FAILED, 0);
	tell_action(&t, ids[4], JOURNAL_REPORTED, 7001);
	tell_result(&t, ids[5], AT + 1, 0, OUTCOME_FAILED, 0);
	tell_action(&t, ids[5], JOURNAL_REPORTED, 7002);
	tell_accepted(&t, 7001);
	tell_result(&t, 7001, AT + 3, 0, OUTCOME_DELIVERED, JOURNAL_IS_OVER);
	tell_accepted(&t, 7002);
	tell_accepted(&t, 7003);
	tell_result(&t, 7003, AT + 3, 0, OUTCOME_DISCARDED, JOURNAL_IS_OVER);
	write_history(&t, 9);

	cr_assert_eq(keep_known_open(n, &m, &why), OK, "%s", why.text);
	cr_assert(keep_known_is_whole(n, &m, &why), "%s", why.text);
	cr_assert_eq(n->greatest_id, ids[5]);
	cr_assert_eq(keep_known_apply(n, &k), OK);
	cr_assert_eq(n->delivered, 4);
	cr_assert_eq(n->ended, 1);
	cr_assert_eq(n->retried, 1);
	cr_assert_eq(keep_known_missing(n, &k, &missing), OK);
	cr_assert_eq(missing.n, sizeof(id), "the report that was lost");
	memcpy(&id, missing.p, sizeof(id));
	cr_assert_eq(id, 7002);
	/* and once more: nothing is left to be done */
	cr_assert_eq(keep_known_apply(n, &k), OK);
	cr_assert_eq(n->delivered, 4);
	keep_store_close(&k);

	cr_assert_eq(keep_store_open(&k, 0, NULL, &why), OK);
	cr_assert_not(left_of(&k, ids[0]).is_there);
	cr_assert_str_eq(left_of(&k, ids[1]).rows, "a-c");
	cr_assert_eq(left_of(&k, ids[1]).tries, 4);
	cr_assert_eq(left_of(&k, ids[1]).due_at, AT + 777);
	cr_assert(left_of(&k, ids[2]).is_held);
	cr_assert_not(left_of(&k, ids[3]).is_held);
	cr_assert_eq(left_of(&k, ids[3]).count, 3);
	cr_assert_str_eq(left_of(&k, ids[4]).rows, "-bc");
	cr_assert_str_eq(left_of(&k, ids[5]).rows, "abc");
	keep_store_close(&k);
	keep_known_clear(n);
	buf_clear(&missing);
	buf_clear(&t.records);
	free(n);
}

/* ---- lists ---- */

static void
wait_turn(struct keep_store *k)
{
	struct pollfd fd = { .fd = store_fd(k->store), .events = POLLIN };

	(void)poll(&fd, 1, 20);
	cr_assert_eq(keep_store_turn(k), OK);
}

/* Of N recipients; the first block of them is begun. */
static uint64_t
submit_list(struct keep_store *k, uint32_t n)
{
	struct envelope_rcpt rest = { .address = STORE_LIST_ADDRESS };
	struct envelope e = { .sender = SPAN_LIT("s@y") };
	struct store_submission sub = { .token = 77, .arrived_at = AT,
	    .trace_head = SPAN_LIT("Received: x\r\n"), .is_streamed = true,
	    .key_of = one_unit, .list_total = n };
	struct store_unit *u, *part;
	struct buf list, head;
	uint64_t id;
	enum err e2 = ERR_NOT_FOUND;

	buf_init(&list, 1 << 20);
	buf_init(&head, 4096);
	for (uint32_t i = 0; i < n; i++) {
		char text[32];
		struct envelope_rcpt r;

		(void)snprintf(text, sizeof(text), "a%05u@x", (unsigned)i);
		r = (struct envelope_rcpt){ .address = span_str(text) };
		envelope_put_rcpt(&r, &list);
	}
	envelope_put_head(&e, &head);
	envelope_put_rcpt(&rest, &head);
	sub.list_bytes = list.n;
	sub.envelope = buf_span(&head);
	cr_assert_eq(store_list_open(k->store, sub.token), OK);
	cr_assert_eq(store_body_add(k->store, sub.token, buf_span(&list)), OK);
	cr_assert_eq(store_body_add(k->store, sub.token,
	    SPAN_LIT("body\r\n")), OK);
	cr_assert_eq(store_body_close(k->store, sub.token), OK);
	for (int i = 0; i < 500 && e2 == ERR_NOT_FOUND; i++) {
		wait_turn(k);
		e2 = store_submit(k->store, &sub, &u);
	}
	cr_assert_eq(e2, OK);
	id = u->message->id;
	cr_assert_eq(keep_store_sync(k), OK);
	cr_assert_eq(store_load_unit(k->store, id, 0, &u), OK);
	cr_assert_eq(store_list_begin(k->store, u, &sub, &part), OK);
	cr_assert_eq(keep_store_sync(k), OK);
	keep_store_yield(k, id + 1);
	keep_store_yield(k, id);
	buf_clear(&list);
	buf_clear(&head);
	return id;
}

/* One that went on after the copy is noted, once; what the copy has begun is
 * no reason. */
Test(known, a_list_that_was_begun_further)
{
	struct survey_manifest m = copy_up_to(5);
	struct keep_known *n = malloc(sizeof(*n));
	struct why why = { "" };
	struct keep_store k;
	uint64_t lists[2];
	struct told t;

	cr_assert_not_null(n);
	buf_init(&t.records, 1 << 20);
	fill(&k, 1);
	lists[0] = submit_list(&k, 3 * STORE_UNIT_RECIPIENTS);
	lists[1] = submit_list(&k, 3 * STORE_UNIT_RECIPIENTS);
	for (size_t i = 0; i < 2; i++)
		tell_action(&t, lists[i], JOURNAL_PART, lists[i] + 1);
	tell_action(&t, lists[1], JOURNAL_PART, lists[1] + 2);
	tell_action(&t, lists[1], JOURNAL_PART, lists[1] + 3);
	tell_action(&t, ids[0], JOURNAL_PART, ids[0] + 9);
	write_history(&t, 9);
	cr_assert_eq(keep_known_open(n, &m, &why), OK, "%s", why.text);
	cr_assert_eq(keep_known_apply(n, &k), OK);
	cr_assert_eq(n->lists.n, sizeof(lists[1]));
	cr_assert_eq(memcmp(n->lists.p, &lists[1], sizeof(lists[1])), 0);
	keep_store_close(&k);
	keep_known_clear(n);
	buf_clear(&t.records);
	free(n);
}

static size_t
count_in(const char *name, const char *word)
{
	struct buf b;
	size_t n = 0;

	buf_init(&b, 8 << 20);
	cr_assert_eq(file_read(AT_FDCWD, name, 8 << 20, &b, NULL), OK);
	buf_add_byte(&b, '\0');
	for (const char *p = (char *)b.p; (p = strstr(p, word)) != NULL; p++)
		n++;
	buf_clear(&b);
	return n;
}

/* Byte AT of each file in it is another one. */
static void
flip(const char *folder, uint32_t at)
{
	char command[256];

	(void)snprintf(command, sizeof(command), "for f in $(find %s -type f); "
	    "do printf '\\377' | dd of=$f bs=1 seek=%u conv=notrunc "
	    "2>/dev/null; done", folder, at);
	cr_assert_eq(system(command), 0);
}

enum { BLOCKS = 20, RCPT = 5 + 5 + 8, LEFT = (BLOCKS - 1) *
    STORE_UNIT_RECIPIENTS };

static void
save_list(struct keep_mail *w, struct keep_store *k, uint64_t list,
    enum err expected)
{
	struct why why = { "" };

	cr_assert_eq(system("rm -f *.eml *.json"), 0);
	w->recipients = 0;
	cr_assert_eq(keep_store_open(k, 0, NULL, &why), OK, "%s", why.text);
	cr_expect_eq(keep_mail_save(w, k, list), expected);
	keep_store_close(k);
}

/* The next gap that was told: numbers of the recipients around it, -1: none. */
static void
expect_gap(struct wire *gaps, int after, int before)
{
	char text[32] = "";

	for (int i = 0; i < 2; i++) {
		struct span s = wire_span(gaps, 32);
		int number = i == 0 ? after : before;

		(void)snprintf(text, sizeof(text), "a%05d@x", number);
		cr_expect(span_equal(s, number < 0 ? SPAN_NONE : span_str(text)),
		    "%.*s for %s", (int)s.n, (const char *)s.p, text);
	}
}

/* As mail a list goes to whoever is not in a part, by his own address. */
Test(known, a_list_as_mail)
{
	char name[64], id[QUEUE_ID_SIZE];
	struct keep_mail w;
	struct keep_store k;
	uint64_t list;

	keep_mail_init(&w);
	w.dir_fd = open(".", O_RDONLY | O_DIRECTORY);
	fill(&k, 1);
	list = submit_list(&k, BLOCKS * STORE_UNIT_RECIPIENTS);
	cr_assert_eq(keep_mail_save(&w, &k, list), OK);
	cr_expect_eq(w.recipients, LEFT);
	queue_id_format(list, id);
	(void)snprintf(name, sizeof(name), "%s.json", id);
	cr_expect_eq(count_in(name, "@x"), LEFT);
	cr_expect_eq(count_in(name, "remaining"), 0);
	cr_expect_eq(count_in(name, "\"begun\":1000,\"missing\":0}"), 1);
	(void)snprintf(name, sizeof(name), "%s.eml", id);
	cr_expect_eq(count_in(name, "body"), 1);
	cr_assert_eq(keep_mail_save(&w, &k, list + 1), OK, "the part");
	cr_expect_eq(w.recipients, BLOCKS * STORE_UNIT_RECIPIENTS);
	keep_store_close(&k);
	keep_mail_clear(&w);
}

/* A list that is damaged goes to all but those of whom a byte lies in a block
 * whose sum is wrong; they are counted, and who is before and behind them is
 * said. */
Test(known, a_damaged_list_as_mail)
{
	enum { SUM = STORE_BODY_BLOCK };
	char name[64], id[QUEUE_ID_SIZE];
	struct keep_mail w;
	struct keep_store k;
	struct wire gaps;
	uint64_t list;

	keep_mail_init(&w);
	w.dir_fd = open(".", O_RDONLY | O_DIRECTORY);
	fill(&k, 1);
	list = submit_list(&k, BLOCKS * STORE_UNIT_RECIPIENTS);
	keep_store_close(&k);
	queue_id_format(list, id);
	(void)snprintf(name, sizeof(name), "%s.json", id);

	/* the third block, and the fifth */
	flip("body", 2 * SUM + 100);
	flip("body", 4 * SUM + 100);
	save_list(&w, &k, list, ERR_CORRUPT);
	/* with the one across each edge */
	cr_expect_eq(w.missing, 3 * SUM / RCPT - 2 * SUM / RCPT + 1 +
	    5 * SUM / RCPT - 4 * SUM / RCPT + 1);
	wire_init(&gaps, buf_span(&w.gaps));
	expect_gap(&gaps, 2 * SUM / RCPT - 1, 3 * SUM / RCPT + 1);
	expect_gap(&gaps, 4 * SUM / RCPT - 1, 5 * SUM / RCPT + 1);
	cr_expect_not(wire_more(&gaps));
	cr_expect_eq(count_in(name, "@x"), LEFT - w.missing);
	cr_expect_eq(w.recipients, LEFT - w.missing);

	/* all but the last of them, in which the content lies too */
	flip("body", 100);
	flip("body", SUM + 100);
	flip("body", 3 * SUM + 100);
	save_list(&w, &k, list, ERR_CORRUPT);
	wire_init(&gaps, buf_span(&w.gaps));
	expect_gap(&gaps, -1, 5 * SUM / RCPT + 1);
	cr_expect_not(wire_more(&gaps));
	cr_expect_eq(w.recipients, BLOCKS * STORE_UNIT_RECIPIENTS -
	    5 * SUM / RCPT - 1);
	cr_expect_eq(w.recipients + w.missing, LEFT);

	flip("body", 5 * SUM + 100);
	save_list(&w, &k, list, ERR_CORRUPT);
	cr_expect_str_eq(w.damaged, "its content is damaged");
	cr_expect_neq(access(name, F_OK), 0);
	keep_mail_clear(&w);
}

/* Who would trust such a history would send twice. */
Test(known, when_it_is_not_enough)
{
	struct keep_known *n = malloc(sizeof(*n));
	struct survey_manifest m = copy_up_to(10), other = m;
	struct why why = { "" };
	struct told t;

	cr_assert_not_null(n);
	other.uuid[0]++;
	buf_init(&t.records, 1 << 20);
	/* none at all */
	cr_assert_eq(keep_known_open(n, &m, &why), OK);
	cr_assert_not(keep_known_is_whole(n, &m, &why));
	keep_known_clear(n);
	/* up to the copy's moment, no further: enough, for nothing came */
	write_history(&t, 9);
	cr_assert_eq(keep_known_open(n, &m, &why), OK);
	cr_assert_not(keep_known_is_whole(n, &m, &why));
	keep_known_clear(n);
	write_history(&t, 10);
	cr_assert_eq(keep_known_open(n, &m, &why), OK);
	cr_assert(keep_known_is_whole(n, &m, &why));
	keep_known_clear(n);
	/* of another spool */
	cr_assert_eq(keep_known_open(n, &other, &why), OK);
	cr_assert_not(keep_known_is_whole(n, &other, &why));
	keep_known_clear(n);
	/* with a loss before the moment, and with one after it */
	journal_lost_put(&t.records, AT, 3, 10);
	write_history(&t, 11);
	cr_assert_eq(keep_known_open(n, &m, &why), OK);
	cr_assert(keep_known_is_whole(n, &m, &why));
	keep_known_clear(n);
	journal_lost_put(&t.records, AT, 11, 12);
	write_history(&t, 13);
	cr_assert_eq(keep_known_open(n, &m, &why), OK);
	cr_assert_not(keep_known_is_whole(n, &m, &why));
	keep_known_clear(n);
	buf_clear(&t.records);
	free(n);
}

/* What was saved of a spool at its end: only holes in its log count, and what
 * the history tells of them. */
Test(known, of_what_was_saved)
{
	struct keep_known *n = malloc(sizeof(*n));
	struct survey_manifest m = copy_up_to(100);
	struct why why = { "" };
	struct told t;

	cr_assert_not_null(n);
	m.is_salvage = true;
	buf_init(&t.records, 1 << 20);
	cr_assert_eq(keep_known_open(n, &m, &why), OK);
	cr_assert(keep_known_is_whole(n, &m, &why));
	cr_assert_eq(survey_manifest_add_lost(&m, 20, 30), OK);
	cr_assert_not(keep_known_is_whole(n, &m, &why));
	keep_known_clear(n);
	write_history(&t, 28);
	cr_assert_eq(keep_known_open(n, &m, &why), OK);
	cr_assert_not(keep_known_is_whole(n, &m, &why));
	keep_known_clear(n);
	write_history(&t, 29);
	cr_assert_eq(keep_known_open(n, &m, &why), OK);
	cr_assert(keep_known_is_whole(n, &m, &why), "%s", why.text);
	keep_known_clear(n);
	survey_manifest_clear(&m);
	buf_clear(&t.records);
	free(n);
}

/* Messages by the thousand leave memory as they are done. */
static enum err
hold_one(void *ctx, struct keep_store *k, uint64_t id)
{
	size_t *count = ctx;
	struct store_unit *u;
	enum err e = store_load_unit(k->store, id, 0, &u);

	if (e == OK)
		e = store_hold(k->store, u->message, true);
	keep_store_yield(k, id);
	++*count;
	return e;
}

Test(known, each_message_once)
{
	struct store_figures f;
	struct keep_store k;
	size_t count = 0;

	fill(&k, 1);
	for (size_t i = 0; i < 3000; i++) {
		(void)submit(&k);
		cr_assert_eq(keep_store_turn(&k), OK);
	}
	cr_assert_eq(keep_store_each(&k, hold_one, &count), OK);
	cr_assert_eq(count, 3001);
	cr_assert_eq(keep_store_sync(&k), OK);
	store_figures(k.store, &f);
	cr_assert_eq(f.messages, 3001);
	keep_store_close(&k);
}
