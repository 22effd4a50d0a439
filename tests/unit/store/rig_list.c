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

static void
stream(struct rig *r, uint64_t token, struct span list)
{
	r->is_body_closed = false;
	cr_assert_eq(store_list_open(r->s, token), OK);
	cr_assert_eq(store_body_add(r->s, token, list), OK);
	cr_assert_eq(store_body_add(r->s, token, SPAN_LIT("to all\r\n")), OK);
	cr_assert_eq(store_body_close(r->s, token), OK);
	while (!r->is_body_closed)
		rig_turn(r, 100);
}

uint64_t
rig_list(struct rig *r, uint32_t total)
{
	struct envelope head = { .sender = SPAN_LIT("s@list.example"),
	    .arrived_at = 1000 };
	struct envelope_rcpt rcpt = { .address = STORE_LIST_ADDRESS };
	struct store_submission sub = { .token = r->next_token++,
	    .arrived_at = 1000, .trace_head = SPAN_LIT("Received: id "),
	    .trace_tail = SPAN_LIT("; now\r\n"), .is_streamed = true,
	    .key_of = key_of, .list_total = total };
	struct store_unit *u;
	struct buf list, envelope;

	buf_init(&list, 1 << 20);
	buf_init(&envelope, 4096);
	envelope_put_head(&head, &envelope);
	envelope_put_rcpt(&rcpt, &envelope);
	for (uint32_t i = 0; i < total; i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "u%u@d%u.example", i,
		    i % 2);
		rcpt.address = span_str(text);
		envelope_put_rcpt(&rcpt, &list);
	}
	stream(r, sub.token, buf_span(&list));
	sub.list_bytes = list.n;
	sub.envelope = buf_span(&envelope);
	cr_assert_eq(store_submit(r->s, &sub, &u), OK);
	buf_clear(&list);
	buf_clear(&envelope);
	rig_sync(r);
	return u->message->id;
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
