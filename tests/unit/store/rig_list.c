#include "tests/unit/store/rig_list.h"

#include <criterion/criterion.h>

#include <stdio.h>

#include "common/mail/envelope.h"
#include "queued/store/store_list.h"

static struct span
key_of(void *ctx, struct span recipient)
{
	(void)ctx;
	return span_from(recipient, span_find(recipient, '@') + 1);
}

static const struct store_submission keys = { .key_of = key_of };

#define LABEL ".long-names-are-taken-too-that-a-block-becomes-large"

static void
put_address(struct buf *out, uint32_t i, size_t width)
{
	char text[256], pad[128] = "";
	struct envelope_rcpt r = { 0 };
	size_t begin = out->n, n;

	for (int again = 0; again < 2; again++) {
		(void)snprintf(text, sizeof(text), "u%u%s@d%u%s.example",
		    i, pad, i % RIG_LIST_DOMAINS, width > 0 ? LABEL : "");
		r.address = span_str(text);
		out->n = begin;
		envelope_put_rcpt(&r, out);
		n = out->n - begin;
		if (n >= width)
			break;
		memset(pad, 'x', width - n);
		pad[width - n] = '\0';
	}
}

static void
add(struct rig *r, uint64_t token, struct span bytes)
{
	while (bytes.n > 0) {
		struct span piece = span_sub(bytes, 0, 50000);
		uint64_t upto = r->body_bytes + piece.n;

		cr_assert_eq(store_body_add(r->s, token, piece), OK);
		while (r->body_bytes < upto)
			rig_turn(r, 100);
		bytes = span_from(bytes, piece.n);
	}
}

static void
stream(struct rig *r, uint64_t token, struct span list)
{
	r->body_bytes = 0;
	r->is_body_closed = false;
	cr_assert_eq(store_list_open(r->s, token), OK);
	add(r, token, list);
	add(r, token, span_str(RIG_LIST_BODY));
	cr_assert_eq(store_body_close(r->s, token), OK);
	while (!r->is_body_closed)
		rig_turn(r, 100);
}

uint64_t
rig_list_submit(struct rig *r, uint32_t total, uint32_t said, size_t width)
{
	struct envelope head = { .sender = SPAN_LIT("s@list.example"),
	    .arrived_at = 1000 };
	struct envelope_rcpt rcpt = { .address = STORE_LIST_ADDRESS };
	struct store_submission sub = { .token = r->next_token++,
	    .arrived_at = 1000, .trace_head = SPAN_LIT("Received: id "),
	    .trace_tail = SPAN_LIT("; now\r\n"), .is_streamed = true,
	    .key_of = key_of, .list_total = said };
	struct store_unit *u;
	struct buf list, envelope;

	buf_init(&list, 8 << 20);
	buf_init(&envelope, 4096);
	envelope_put_head(&head, &envelope);
	envelope_put_rcpt(&rcpt, &envelope);
	for (uint32_t i = 0; i < total; i++)
		put_address(&list, i, width);
	stream(r, sub.token, buf_span(&list));
	sub.list_bytes = list.n;
	sub.envelope = buf_span(&envelope);
	cr_assert_eq(store_submit(r->s, &sub, &u), OK);
	cr_assert(store_is_list(u->message));
	buf_clear(&list);
	buf_clear(&envelope);
	return u->message->id;
}

uint64_t
rig_list(struct rig *r, uint32_t total)
{
	uint64_t id = rig_list_submit(r, total, total, 0);

	rig_sync(r);
	return id;
}

enum err
rig_list_try_begin(struct rig *r, uint64_t id, struct store_unit **part)
{
	struct store_unit *u;
	enum err e = store_load_unit(r->s, id, 0, &u);

	cr_assert_eq(e, OK);
	e = store_list_begin(r->s, u, &keys, part);
	store_yield_unit(r->s, &u);
	return e;
}

struct store_unit *
rig_list_begin(struct rig *r, uint64_t id)
{
	struct store_unit *part;

	cr_assert_eq(rig_list_try_begin(r, id, &part), OK);
	rig_sync(r);
	return part;
}
