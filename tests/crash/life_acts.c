/*
 * Mail that comes, is delivered, put off or fails; operators; faults; segments
 * that are filled and emptied.
 */
#include "tests/crash/life.h"

#include <errno.h>
#include <string.h>

#include "common/base/check.h"
#include "queued/store/store_private.h"
#include "tests/crash/mail.h"
#include "tests/crash/record.h"

enum { STREAM_MIN = 70000, CHUNK = 48 << 10 };

/* ---- mail ---- */

static void
keep(struct life *l, const struct note *n)
{
	MUST(l->count < LIFE_MAILS);
	l->mails[l->count++] = (struct life_mail){ .id = n->id, .group = n->group,
	    .token = n->token };
}

static size_t
body_bytes(struct life *l)
{
	if (l->has_cycles)
		return 60000 + life_below(l, 120000);
	switch (life_below(l, 12)) {
	case 0:
		return 100000 + life_below(l, 300000);
	case 1:
		return 4000 + life_below(l, 30000);
	default:
		return life_below(l, 3000);
	}
}

static void
accept_one(struct life *l)
{
	struct mail_order order = { .token = l->next_token++,
	    .units = 1 + (uint32_t)life_below(l, 2) * (uint32_t)life_below(l, 4),
	    .rcpts = 1 + (uint32_t)life_below(l, 2) * (uint32_t)life_below(l, 4),
	    .body_n = body_bytes(l) };
	struct store_unit *u;
	struct note n;

	if (l->count + 8 > LIFE_MAILS || mail_submit(l->s, &order, &u, &n) != OK)
		return;
	life_note(l, &n);
	keep(l, &n);
	l->filled += order.body_n;
}

/* Several clients in one turn make one group. */
static void
accept_some(struct life *l)
{
	uint64_t n = 1 + life_below(l, 5);

	while (n-- > 0)
		accept_one(l);
}

/* Where some bodies have a list before them. */
static bool
has_lists(const struct life *l)
{
	return l->kind == HISTORY_BODIES || l->kind == HISTORY_REBUILD;
}

static void
open_body(struct life *l)
{
	if (l->count + 8 > LIFE_MAILS)
		return;
	l->body_token = l->next_token++;
	l->body_n = STREAM_MIN + life_below(l, 200000);
	l->body_at = 0;
	l->is_body_closed = l->has_body_failed = false;
	l->total = has_lists(l) && life_below(l, 2) == 0 ?
	    1 + (uint32_t)life_below(l, 5 * VIEW_BLOCK) : 0;
	if ((l->total > 0 ? store_list_open(l->s, l->body_token) :
	    store_body_open(l->s, l->body_token)) != OK)
		l->body_token = 0;
	else if (l->total > 0)
		l->has_body_failed = mail_list(l->s, l->body_token,
		    l->total) != OK;
}

/* A full disk takes no chunk: that body is not whole. */
static void
give_chunk(struct life *l)
{
	if (mail_stream(l->s, l->body_token, l->body_n, l->body_at,
	    CHUNK) != OK) {
		l->has_body_failed = true;
		return;
	}
	l->body_at += CHUNK;
	if (l->body_at >= l->body_n)
		(void)store_body_close(l->s, l->body_token);
}

static void
submit_body(struct life *l)
{
	struct mail_order order = { .token = l->body_token, .units = 1,
	    .rcpts = 1, .body_n = l->body_n, .is_streamed = true,
	    .total = l->total };
	struct store_unit *u;
	struct note n;

	if (mail_submit(l->s, &order, &u, &n) == OK) {
		life_note(l, &n);
		keep(l, &n);
	} else {
		store_body_drop(l->s, order.token);
	}
	l->body_token = 0;
}

/* A step of a body on its way in: opened, given in chunks, closed, submitted,
 * or dropped by its client. */
static void
stream(struct life *l)
{
	if (l->body_token == 0) {
		open_body(l);
	} else if (l->has_body_failed || life_below(l, 20) == 0) {
		store_body_drop(l->s, l->body_token);
		l->body_token = 0;
	} else if (l->body_at < l->body_n) {
		give_chunk(l);
	} else if (l->is_body_closed) {
		submit_body(l);
	}
}

static uint32_t
any_number(void *ctx, uint32_t n)
{
	return (uint32_t)life_below(ctx, n);
}

/* The next block of a list; all begun, the list is over. */
static void
begin_block(struct life *l, struct store_unit *u)
{
	struct mail_result over = { .is_settled = true };
	struct note part, begun;
	enum err e;

	if (l->count + 1 > LIFE_MAILS)
		return;
	e = mail_begin(l->s, u, &part, &begun);
	if (e == ERR_NOT_FOUND) {
		if (mail_verdict(l->s, u, &over, &begun) == OK)
			life_note(l, &begun);
		return;
	}
	if (e != OK)
		return;
	life_note(l, &part);
	life_note(l, &begun);
	keep(l, &part);
}

/* A unit that is not settled, of a message that was told as synced. */
static struct store_unit *
any_unit(struct life *l)
{
	const struct life_mail *m;
	struct store_unit *u;
	uint32_t first;

	if (l->count == 0)
		return NULL;
	m = &l->mails[life_below(l, l->count)];
	if (m->group > l->synced)
		return NULL;
	first = any_number(l, VIEW_UNITS);
	for (uint32_t i = 0; i < VIEW_UNITS; i++) {
		if (store_load_unit(l->s, m->id, (first + i) % VIEW_UNITS,
		    &u) == OK)
			return u;
	}
	life_forget(l, m->id);
	return NULL;
}

/* Delivered, put off, or failed: then a report stands in the same group. */
static void
settle_with_report(struct life *l, struct store_unit *u,
    struct mail_result *result)
{
	struct mail_order order = { .token = l->next_token++, .units = 1,
	    .rcpts = 1, .body_n = 200 + life_below(l, 2000), .is_report = true };
	struct store_unit *report;
	struct note said, verdict;

	if (l->count + 1 > LIFE_MAILS || store_reserve(l->s, 8192) != OK ||
	    mail_submit(l->s, &order, &report, &said) != OK)
		return;
	life_note(l, &said);
	keep(l, &said);
	/* the report goes with the verdict */
	MUST(mail_verdict(l->s, u, result, &verdict) == OK);
	verdict.cause = said.id;
	life_note(l, &verdict);
}

static void
judge(struct life *l, struct store_unit *u)
{
	struct mail_result result = { .first = (uint32_t)life_below(l, u->count),
	    .is_settled = life_below(l, 3) > 0, .due_at = l->now + life_below(l, 1000),
	    .is_warned = life_below(l, 12) == 0, .words = (unsigned)life_below(l, 9) };
	struct note n;

	result.last = result.first +
	    (uint32_t)life_below(l, u->count - result.first);
	if (life_below(l, 2) == 0) {
		result.first = 0;
		result.last = u->count - 1;
	}
	/* a report's failure is not reported */
	if (result.is_settled && !u->message->is_report && life_below(l, 4) == 0) {
		settle_with_report(l, u, &result);
		return;
	}
	if (mail_verdict(l->s, u, &result, &n) == OK)
		life_note(l, &n);
}

static void
operate(struct life *l, struct store_unit *u)
{
	struct note n;

	memset(&n, 0, sizeof(n));
	n.group = store_group(l->s);
	n.id = u->message->id;
	n.unit = u->number;
	switch (life_below(l, 4)) {
	case 0:
		n.kind = NOTE_HOLD;
		n.is_held = !u->message->is_held;
		if (store_hold(l->s, u->message, n.is_held) == OK)
			life_note(l, &n);
		return;
	case 1:
		n.kind = NOTE_DUE;
		n.value = l->now + life_below(l, 1000);
		if (store_reschedule(l->s, u, n.value) == OK)
			life_note(l, &n);
		return;
	case 2:
		n.kind = NOTE_LEASE;
		n.value = 1 + life_below(l, 1000);
		if (store_note_lease(l->s, u, n.value) == OK)
			life_note(l, &n);
		return;
	default:
		(void)store_unload_unit(l->s, &u);
	}
}

/* ---- faults ---- */

static void
fail_something(struct life *l)
{
	static const int errors[] = { EIO, ENOSPC, EDQUOT };
	enum record_class class = (enum record_class)life_below(l,
	    RECORD_CLASSES);

	/* mostly the log, where it hurts */
	if (life_below(l, 2) == 0)
		class = life_below(l, 2) == 0 ? RECORD_LOG_WRITE : RECORD_LOG_SYNC;
	/* once, or so often that the rescue fails too */
	record_fail(class, (unsigned)life_below(l, 3), life_below(l, class ==
	    RECORD_LOG_SYNC ? 2 : 6) == 0 ? 6 : 1, errors[life_below(l, 3)]);
}

/* ---- whole segments ---- */

/* A verdict that is written only, then a group that may begin a new segment
 * and so vouches for it. */
static void
fill_more(struct life *l)
{
	struct store_unit *u = any_unit(l);
	struct mail_result put_off = { .due_at = l->now, .words = 3 };
	struct note n;

	if (u != NULL && life_below(l, 2) == 0) {
		put_off.last = u->count - 1;
		if (mail_verdict(l->s, u, &put_off, &n) == OK)
			life_note(l, &n);
		life_flush(l);
		life_turn(l, 2);
	}
	accept_one(l);
	if (life_below(l, 3) == 0)
		life_sync_all(l);
	l->is_emptying = l->filled > (1 << 20) + (1 << 18);
}

static void
settle_all_of(struct life *l, uint64_t id)
{
	struct mail_result result = { .is_settled = true };
	struct store_unit *u;
	struct note n;

	for (uint32_t i = 0; i < VIEW_UNITS; i++) {
		if (store_load_unit(l->s, id, i, &u) != OK)
			continue;
		result.last = u->count - 1;
		if (mail_verdict(l->s, u, &result, &n) == OK)
			life_note(l, &n);
	}
	life_forget(l, id);
}

/* NULL: none but the one that stays. */
static const struct life_mail *
oldest_of(const struct life *l)
{
	const struct life_mail *oldest = NULL;

	for (size_t i = 0; i < l->count; i++) {
		if (l->mails[i].id != l->stays &&
		    (oldest == NULL || l->mails[i].id < oldest->id))
			oldest = &l->mails[i];
	}
	return oldest;
}

/* The oldest go first, all of them or nearly; then what is known of it is
 * frozen at once, or check-pointed.  One may stay for long: its segment then
 * needs the verdicts about its neighbours, which lie in later ones. */
static void
empty(struct life *l)
{
	size_t left = l->kind == HISTORY_COMPACTION ? 2 + life_below(l, 3) :
	    life_below(l, 2);
	const struct life_mail *oldest;

	life_sync_all(l);
	if (l->stays == 0 && l->count > 0)
		l->stays = l->mails[life_below(l, l->count)].id;
	else if (life_below(l, 4) == 0)
		l->stays = 0;
	while (l->count > left && (oldest = oldest_of(l)) != NULL) {
		settle_all_of(l, oldest->id);
		if (life_below(l, 3) == 0)
			life_turn(l, 1);
	}
	l->filled = 0;
	l->is_emptying = false;
	if (life_below(l, 2) == 0)
		life_checkpoint(l);
	/* written only, and frozen */
	life_flush(l);
	l->ahead_ms += 3000;
	life_turn(l, 5);
	life_turn(l, 5);
}

/* The index's file is made anew, with mail coming meanwhile or without. */
static void
shrink(struct life *l)
{
	if (life_below(l, 2) == 0)
		life_checkpoint(l);
	l->s->shrink.is_forced = true;
	life_flush(l);
	if (life_below(l, 2) == 0)
		accept_one(l);
	for (int i = 0; i < 20 && l->s->shrink.is_busy; i++) {
		life_turn(l, 5);
		l->ahead_ms += 1000;
	}
}

static void
compact(struct life *l)
{
	life_checkpoint(l);
	l->s->compact.is_forced = true;
	for (int i = 0; i < 8; i++)
		life_turn(l, 5);
	if (life_below(l, 2) == 0)
		life_checkpoint(l);
}

static void
cycle(struct life *l)
{
	if (!l->is_emptying) {
		fill_more(l);
		if (l->kind == HISTORY_SHRINK && life_below(l, 8) == 0)
			shrink(l);
		return;
	}
	/* before a segment goes, for the new file, or after it */
	if (l->kind == HISTORY_SHRINK && life_below(l, 2) == 0)
		shrink(l);
	empty(l);
	if (l->kind == HISTORY_COMPACTION)
		compact(l);
}

/* ---- a life ---- */

void
life_act(struct life *l)
{
	struct store_unit *u;

	l->now++;
	if (l->has_cycles && life_below(l, 4) > 0) {
		cycle(l);
		return;
	}
	if (l->kind == HISTORY_FAULTS && life_below(l, 12) == 0)
		fail_something(l);
	if (l->body_token != 0 || life_below(l, l->kind == HISTORY_BODIES ? 3 :
	    40) == 0)
		stream(l);
	if (life_below(l, 10) < (l->count < 12 ? 5U : 2U)) {
		accept_some(l);
		return;
	}
	if ((u = any_unit(l)) == NULL)
		return;
	if (store_is_list(u->message) && life_below(l, 10) > 0)
		begin_block(l, u);
	else if (life_below(l, 5) == 0)
		operate(l, u);
	else
		judge(l, u);
}

void
life_pause(struct life *l)
{
	life_flush(l);
	switch (life_below(l, 6)) {
	case 0:
		life_sync_all(l);
		break;
	case 1:
	case 2:
		life_turn(l, 2);
		break;
	case 3:
		l->ahead_ms += 1200;
		life_turn(l, 1);
		break;
	default:
		store_turn(l->s);
		life_flush(l);
	}
	if (life_below(l, 4) == 0)
		life_answer(l);
	if (life_below(l, l->kind == HISTORY_CHECKPOINTS ? 6 : 30) == 0)
		life_checkpoint(l);
	if (l->kind == HISTORY_SHRINK && life_below(l, 6) == 0)
		shrink(l);
}
