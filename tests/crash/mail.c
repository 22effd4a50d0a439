#include "tests/crash/mail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/rng.h"
#include "common/mail/envelope.h"
#include "common/mail/queue_id.h"

enum { ARRIVED_AT = 1000, TEXT_BYTES = 64 };

static const char trace_head[] = "Received: id ";
static const char trace_tail[] = "; now\r\n";

/* The caller's, by free(). */
static uint8_t *
make_body(uint64_t token, size_t n)
{
	uint8_t *p = malloc(n + 8);
	struct rng dice;

	MUST(p != NULL);
	rng_init(&dice, token);
	for (size_t i = 0; i < n; i += 8) {
		uint64_t bytes = rng_u64(&dice);

		memcpy(p + i, &bytes, sizeof(bytes));
	}
	return p;
}

static struct span
key_of(void *ctx, struct span recipient)
{
	(void)ctx;
	return span_from(recipient, span_find(recipient, '@') + 1);
}

/* As in an envelope: of each block VIEW_BLOCK / 2 are in each of two units. */
static void
put_list(uint32_t total, struct buf *out)
{
	for (uint32_t i = 0; i < total; i++) {
		char text[TEXT_BYTES];
		struct envelope_rcpt rcpt;

		memset(&rcpt, 0, sizeof(rcpt));
		(void)snprintf(text, sizeof(text), "l%u@u%u.example.net", i,
		    i % 2);
		rcpt.address = span_str(text);
		envelope_put_rcpt(&rcpt, out);
	}
}

enum err
mail_list(struct store *s, uint64_t token, uint32_t total)
{
	struct buf b;
	enum err e;

	buf_init(&b, 1 << 20);
	put_list(total, &b);
	e = store_body_add(s, token, buf_span(&b));
	buf_clear(&b);
	return e;
}

static void
make_list_envelope(struct buf *out)
{
	struct envelope e = { .sender = SPAN_LIT("sender@example.org"),
	    .arrived_at = ARRIVED_AT };
	struct envelope_rcpt rest = { .address = STORE_LIST_ADDRESS };

	envelope_put_head(&e, out);
	envelope_put_rcpt(&rest, out);
}

static void
make_envelope(const struct mail_order *order, struct buf *out)
{
	struct envelope e = { .sender = order->is_report ? SPAN_NONE :
	    SPAN_LIT("sender@example.org"), .arrived_at = ARRIVED_AT };

	envelope_put_head(&e, out);
	for (uint32_t i = 0; i < order->units * order->rcpts; i++) {
		char text[TEXT_BYTES];
		struct envelope_rcpt rcpt;

		memset(&rcpt, 0, sizeof(rcpt));
		(void)snprintf(text, sizeof(text), "r%u@u%u.example.net",
		    i / order->units, i % order->units);
		rcpt.address = span_str(text);
		envelope_put_rcpt(&rcpt, out);
	}
}

static uint64_t
content_sum(const struct mail_order *order, uint64_t id, const uint8_t *body,
    uint64_t *n)
{
	char text[QUEUE_ID_SIZE];
	struct buf b;
	uint64_t sum;

	buf_init(&b, 16 << 20);
	queue_id_format(id, text);
	if (!order->is_report) {
		buf_add_span(&b, span_str(trace_head));
		buf_add(&b, text, QUEUE_ID_LENGTH);
		buf_add_span(&b, span_str(trace_tail));
	}
	buf_add(&b, body, order->body_n);
	MUST(!buf_failed(&b));
	sum = view_sum(b.p, b.n);
	*n = b.n;
	buf_clear(&b);
	return sum;
}

static void
fill_view(struct view *v, const struct mail_order *order, uint64_t id,
    const uint8_t *body)
{
	v->id = id;
	v->is_report = order->is_report;
	v->units = order->units;
	v->left = order->units * order->rcpts;
	if (order->total > 0) {
		v->list = id;
		v->left = v->total = order->total;
	}
	v->content = content_sum(order, id, body, &v->content_n);
	for (uint32_t i = 0; i < order->units; i++) {
		v->unit[i].is_here = true;
		v->unit[i].count = order->rcpts;
		v->unit[i].due_at = ARRIVED_AT;
		for (uint32_t k = 0; k < order->rcpts; k++)
			v->unit[i].rcpts[k].outcome = STORE_NO_OUTCOME;
	}
}

enum err
mail_submit(struct store *s, const struct mail_order *order,
    struct store_unit **unit, struct note *note)
{
	struct store_submission sub = { .token = order->is_report ? 0 :
	    order->token, .arrived_at = ARRIVED_AT, .key_of = key_of,
	    .is_report = order->is_report,
	    .is_streamed = order->is_streamed };
	uint8_t *body = make_body(order->token, order->body_n);
	struct buf b;
	enum err e;

	buf_init(&b, 1 << 20);
	if (order->total > 0) {
		put_list(order->total, &b);
		sub.list_bytes = b.n;
		sub.list_total = order->total;
		buf_reset(&b);
		make_list_envelope(&b);
	} else {
		make_envelope(order, &b);
	}
	sub.envelope = buf_span(&b);
	if (!order->is_report) {
		sub.trace_head = span_str(trace_head);
		sub.trace_tail = span_str(trace_tail);
	}
	if (!order->is_streamed)
		sub.body = span_of(body, order->body_n);
	if ((e = store_submit(s, &sub, unit)) == OK) {
		memset(note, 0, sizeof(*note));
		note->kind = NOTE_SUBMIT;
		note->group = store_group(s);
		note->id = (*unit)->message->id;
		note->token = sub.token;
		fill_view(&note->view, order, note->id, body);
	}
	buf_clear(&b);
	free(body);
	return e;
}

/* The first VIEW_BLOCK of what is left: in two units, but a last single one. */
static void
fill_part(struct view *v, const struct view *list, const struct store_unit *u)
{
	uint32_t n = list->total - list->begun;

	memset(v, 0, sizeof(*v));
	n = n < VIEW_BLOCK ? n : VIEW_BLOCK;
	v->id = u->message->id;
	v->list = list->id;
	v->total = list->total;
	v->begun = list->begun;
	v->left = n;
	v->units = n > 1 ? 2 : 1;
	v->content = list->content;
	v->content_n = list->content_n;
	for (uint32_t i = 0; i < v->units; i++) {
		v->unit[i].is_here = true;
		v->unit[i].count = (n + 1 - i) / 2;
		v->unit[i].due_at = ARRIVED_AT;
		for (uint32_t k = 0; k < v->unit[i].count; k++)
			v->unit[i].rcpts[k].outcome = STORE_NO_OUTCOME;
	}
}

static void
see(void *ctx, struct store *s, const struct store_message *m)
{
	struct store_unit *none = NULL;

	view_fill(ctx, s, m, &none);
}

enum err
mail_begin(struct store *s, struct store_unit *unit, struct note *part,
    struct note *begun)
{
	const struct store_submission how = { .key_of = key_of };
	struct store_unit *first;
	struct view list;
	enum err e;

	see(&list, s, unit->message);
	memset(part, 0, sizeof(*part));
	memset(begun, 0, sizeof(*begun));
	begun->kind = NOTE_BEGUN;
	begun->id = list.id;
	if ((e = store_list_begin(s, unit, &how, &first)) != OK)
		return e;
	begun->group = part->group = store_group(s);
	begun->value = unit->message->list.count;
	part->kind = NOTE_SUBMIT;
	part->id = first->message->id;
	fill_part(&part->view, &list, first);
	return OK;
}

enum err
mail_stream(struct store *s, uint64_t token, size_t body_n, size_t at,
    size_t n)
{
	uint8_t *body = make_body(token, body_n);
	enum err e = OK;

	if (n > body_n - at)
		n = body_n - at;
	if (n > 0)
		e = store_body_add(s, token, span_of(body + at, n));
	free(body);
	return e;
}

enum err
mail_verdict(struct store *s, struct store_unit *unit,
    const struct mail_result *result, struct note *note)
{
	char text[TEXT_BYTES];
	int n = snprintf(text, sizeof(text), "words %u", result->words);
	struct store_result r = { .first = result->first,
	    .last = result->last, .is_settled = result->is_settled,
	    .outcome = result->is_settled ? 1 : 2,
	    .code = result->is_settled ? 250 : 450,
	    .status = SPAN_LIT("4.2.0"), .text = span_str(text),
	    .host = SPAN_LIT("mx.example.net") };
	struct store_verdict v = { .begun_at = 5, .due_at = result->due_at,
	    .tries = unit->tries + 1, .is_warned = result->is_warned,
	    .history = SPAN_LIT("history"), .results = &r, .count = 1 };
	bool is_over;

	memset(note, 0, sizeof(*note));
	note->kind = NOTE_VERDICT;
	note->group = store_group(s);
	note->id = unit->message->id;
	note->unit = unit->number;
	note->first = r.first;
	note->last = r.last;
	note->is_settled = r.is_settled;
	note->is_warned = v.is_warned;
	note->outcome = r.outcome;
	note->code = r.code;
	note->text = (uint32_t)view_sum(text, (size_t)n);
	note->tries = v.tries;
	note->value = v.due_at;
	return store_verdict(s, unit, &v, &is_over);
}
