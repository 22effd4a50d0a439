#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/base/wire.h"
#include "common/mail/envelope.h"

#include <stdlib.h>

static const uint8_t v4[4] = { 192, 0, 2, 1 };

static struct envelope
sample_head(void)
{
	return (struct envelope){
		.sender = SPAN_LIT("alice@example.org"),
		.client = span_of(v4, sizeof(v4)),
		.helo = SPAN_LIT("client\r\nexample"),
		.arrived_at = 1795313862123,
		.flags = ENVELOPE_SAID_8BIT | ENVELOPE_HAS_8BIT,
		.longest_line = 998, .listener = 3, .priority = -7,
		.hold_asked = SPAN_LIT("for;60"),
		.headers = SPAN_LIT("x-route: bulk\nsubject: s\n"),
		.ret = ENVELOPE_RET_HDRS, .envid = SPAN_LIT("QQ+2B1"),
	};
}

static const struct envelope_rcpt sample_rcpts[] = {
	{ .address = SPAN_LIT("bob@example.net") },
	{ .address = SPAN_LIT("\"c d\"@[IPv6:2001:db8::1]"),
	    .notify = ENVELOPE_NOTIFY_SUCCESS | ENVELOPE_NOTIFY_DELAY,
	    .orcpt = SPAN_LIT("rfc822;Carol+2Bx@example.com") },
	{ .address = SPAN_LIT("postmaster"),
	    .notify = ENVELOPE_NOTIFY_NEVER },
};

static void
put_sample(struct buf *out)
{
	struct envelope head = sample_head();

	envelope_put_head(&head, out);
	for (size_t i = 0; i < COUNT_OF(sample_rcpts); i++)
		envelope_put_rcpt(&sample_rcpts[i], out);
	cr_assert_not(buf_failed(out));
}

static void
expect_sample(struct span bytes)
{
	struct envelope want = sample_head(), e;
	struct envelope_iter it;
	struct envelope_rcpt r;
	size_t n = 0;

	cr_assert_eq(envelope_check(bytes, &e), OK);
	cr_expect(span_equal(e.sender, want.sender));
	cr_expect(span_equal(e.client, want.client));
	cr_expect(span_equal(e.helo, want.helo));
	cr_expect(span_equal(e.envid, want.envid));
	cr_expect(span_equal(e.hold_asked, want.hold_asked));
	cr_expect(span_equal(e.headers, want.headers));
	cr_expect_eq(e.arrived_at, want.arrived_at);
	cr_expect_eq(e.flags, want.flags);
	cr_expect_eq(e.longest_line, want.longest_line);
	cr_expect_eq(e.listener, want.listener);
	cr_expect_eq(e.ret, want.ret);
	cr_expect_eq(e.priority, want.priority);
	cr_expect_eq(e.rcpt_count, COUNT_OF(sample_rcpts));
	envelope_iter_init(&e, &it);
	while (envelope_iter_next(&it, &r)) {
		cr_assert_lt(n, COUNT_OF(sample_rcpts));
		cr_expect_eq(it.index, n);
		cr_expect(span_equal(r.address, sample_rcpts[n].address));
		cr_expect(span_equal(r.orcpt, sample_rcpts[n].orcpt));
		cr_expect_eq(r.notify, sample_rcpts[n].notify);
		n++;
	}
	cr_expect_eq(n, COUNT_OF(sample_rcpts));
	cr_expect_not(envelope_iter_next(&it, &r));
}

Test(envelope, returns)
{
	struct buf out;

	buf_init(&out, 4096);
	put_sample(&out);
	expect_sample(buf_span(&out));
	buf_clear(&out);
}

Test(envelope, null_sender_and_defaults)
{
	struct envelope head = { .flags = ENVELOPE_REPORT }, e;
	struct envelope_iter it;
	struct envelope_rcpt r;
	struct buf out;

	buf_init(&out, 4096);
	envelope_put_head(&head, &out);
	cr_assert_eq(envelope_check(buf_span(&out), &e), OK);
	cr_expect_eq(e.sender.n, 0);
	cr_expect_eq(e.client.n, 0);
	cr_expect_eq(e.ret, ENVELOPE_RET_NONE);
	cr_expect_eq(e.flags, ENVELOPE_REPORT);
	cr_expect_eq(e.rcpt_count, 0);
	envelope_iter_init(&e, &it);
	cr_expect_not(envelope_iter_next(&it, &r));
	buf_clear(&out);
}

/* Attributes of a later version: kept below 128, refused from there on. */
Test(envelope, unknown_attributes)
{
	struct envelope e, again;
	struct envelope_iter it;
	struct envelope_rcpt r;
	struct buf out, copy;

	buf_init(&out, 4096);
	buf_init(&copy, 4096);
	put_sample(&out);
	wire_put_u8(&out, 100);
	wire_put_span(&out, SPAN_LIT("from the future"));
	expect_sample(buf_span(&out));

	cr_assert_eq(envelope_check(buf_span(&out), &e), OK);
	envelope_put_head_as_is(&e, &copy);
	cr_assert_eq(envelope_check(buf_span(&copy), &again), OK);
	cr_expect_eq(again.rcpt_count, 0);
	cr_expect(span_equal(again.sender, e.sender));
	cr_expect(span_equal(span_from(buf_span(&copy), copy.n - 20),
	    SPAN_LIT("\x64\x0f\0\0\0from the future")));
	envelope_iter_init(&e, &it);
	while (envelope_iter_next(&it, &r))
		envelope_put_rcpt_as_is(&r, &copy);
	expect_sample(buf_span(&copy));

	wire_put_u8(&out, 128);
	wire_put_span(&out, SPAN_LIT("must be understood"));
	cr_expect_eq(envelope_check(buf_span(&out), &e), ERR_VERSION);
	buf_clear(&out);
	buf_clear(&copy);
}

Test(envelope, unknown_attributes_of_a_recipient)
{
	struct envelope_rcpt r = { .notify = 77 };
	struct buf out;

	buf_init(&out, 4096);
	wire_put_u8(&out, 1);
	wire_put_span(&out, SPAN_LIT("a@b"));
	wire_put_u8(&out, 99);
	wire_put_span(&out, SPAN_LIT("?"));
	cr_expect_eq(envelope_check_rcpt(buf_span(&out), 0, &r), OK);
	cr_expect(span_equal(r.address, SPAN_LIT("a@b")));
	cr_expect(span_equal(r.bytes, buf_span(&out)));
	wire_put_u8(&out, 200);
	wire_put_span(&out, SPAN_LIT("?"));
	r.notify = 77;
	cr_expect_eq(envelope_check_rcpt(buf_span(&out), 0, &r), ERR_VERSION);
	cr_expect_eq(r.notify, 77);
	buf_clear(&out);
}

/* Values that a writer could be made to send, and no reader may take: what
 * is checked here ends up on a wire to another server. */
static void
expect_refused(const struct envelope *head, const struct envelope_rcpt *rcpt,
    enum err want, const char *what)
{
	struct envelope e = { .listener = 4711 };
	struct buf out;
	enum err got;

	buf_init(&out, 4096);
	envelope_put_head(head, &out);
	if (rcpt != NULL)
		envelope_put_rcpt(rcpt, &out);
	got = envelope_check(buf_span(&out), &e);
	cr_expect_eq(got, want, "%s: %d", what, got);
	cr_expect_eq(e.listener, 4711, "%s: touched", what);
	buf_clear(&out);
}

Test(envelope, bad_requests)
{
	struct envelope head = sample_head();

	head.hold_asked = SPAN_LIT("for;1\r\nAction: failed");
	expect_refused(&head, NULL, ERR_SYNTAX, "hold");
	head.hold_asked = SPAN_LIT("until;0000000000000000000000000000000000Z");
	cr_assert_eq(head.hold_asked.n, ENVELOPE_HOLD_ASKED_MAX + 1);
	expect_refused(&head, NULL, ERR_RANGE, "hold");
}

Test(envelope, bad_addresses)
{
	static const char *const bad[] = {
		"a@b> SIZE=1", "a@b\r\nDATA", "a@b\n", "<a@b>", "a b@c", "@b",
		"a@", "a@b@c", "\xc3\xa4@b", " a@b",
	};
	struct envelope head = sample_head();

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct envelope_rcpt r = { .address = span_str(bad[i]) };

		head.sender = SPAN_LIT("a@b");
		expect_refused(&head, &r, ERR_SYNTAX, bad[i]);
		head.sender = span_str(bad[i]);
		expect_refused(&head, NULL, ERR_SYNTAX, bad[i]);
	}
	head.sender = SPAN_LIT("\xc3\xa4@b");
	head.flags |= ENVELOPE_UTF8;
	head.envid = SPAN_NONE;
	{
		struct envelope e;
		struct buf out;

		buf_init(&out, 4096);
		envelope_put_head(&head, &out);
		cr_expect_eq(envelope_check(buf_span(&out), &e), OK);
		buf_clear(&out);
	}
}

Test(envelope, bad_values)
{
	struct envelope head;
	struct envelope_rcpt r = { .address = SPAN_LIT("a@b") };
	uint8_t big[600];

	memset(big, 'x', sizeof(big));
	head = sample_head();
	head.client = span_of(big, 5);
	expect_refused(&head, NULL, ERR_RANGE, "client of 5 octets");
	head = sample_head();
	head.helo = span_of(big, 256);
	expect_refused(&head, NULL, ERR_RANGE, "long helo");
	head = sample_head();
	head.ret = 3;
	expect_refused(&head, NULL, ERR_SYNTAX, "ret 3");
	head = sample_head();
	head.envid = SPAN_LIT("a+0D+0Ab");
	expect_refused(&head, NULL, ERR_SYNTAX, "line break in ENVID");
	head.envid = span_of(big, ENVELOPE_ENVID_MAX + 1);
	expect_refused(&head, NULL, ERR_RANGE, "long ENVID");
	head = sample_head();
	head.flags = 0x20000;
	expect_refused(&head, NULL, ERR_VERSION, "critical flag");
	head = sample_head();
	r.notify = ENVELOPE_NOTIFY_NEVER | ENVELOPE_NOTIFY_DELAY;
	expect_refused(&head, &r, ERR_SYNTAX, "NEVER with others");
	r.notify = 0x10;
	expect_refused(&head, &r, ERR_SYNTAX, "notify of the future");
	r.notify = 0;
	r.orcpt = SPAN_LIT("rfc822");
	expect_refused(&head, &r, ERR_SYNTAX, "ORCPT without type");
	r.orcpt = SPAN_LIT("rf c;x");
	expect_refused(&head, &r, ERR_SYNTAX, "ORCPT type");
	r.orcpt = SPAN_LIT("rfc822;a+0Ab");
	expect_refused(&head, &r, ERR_SYNTAX, "line break in ORCPT");
	r.orcpt = span_of(big, ENVELOPE_ORCPT_MAX + 1);
	expect_refused(&head, &r, ERR_RANGE, "long ORCPT");
}

Test(envelope, broken_forms)
{
	static const struct {
		struct span bytes;
		enum err want;
	} forms[] = {
		{ SPAN_LIT(""), ERR_SYNTAX },
		{ SPAN_LIT("\x01"), ERR_SYNTAX },	/* no sender */
		{ SPAN_LIT("\x02"), ERR_VERSION },
		{ SPAN_LIT("\x01\x01"), ERR_SYNTAX },
		{ SPAN_LIT("\x01\x01\0\0\0\0"), OK },
		{ SPAN_LIT("\x01\x01\0\0\0\0\x01\0\0\0\0"), ERR_SYNTAX },
		{ SPAN_LIT("\x01\x01\xff\xff\xff\xff" "a"), ERR_SYNTAX },
		{ SPAN_LIT("\x01\x01\x01\0\0\0"), ERR_SYNTAX },
		{ SPAN_LIT("\x01\x01\0\0\0\0\x40\0\0\0\0"), ERR_SYNTAX },
		{ SPAN_LIT("\x01\x01\0\0\0\0\x04\x01\0\0\0x"), ERR_RANGE },
	};

	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		struct envelope e;

		cr_expect_eq(envelope_check(forms[i].bytes, &e),
		    forms[i].want, "form %zu", i);
	}
}

Test(envelope, million_recipients_and_not_one_more)
{
	struct envelope head = { .listener = 1 }, e;
	struct envelope_rcpt r = { .address = SPAN_LIT("a@b") };
	struct buf out;

	buf_init(&out, 32 << 20);
	envelope_put_head(&head, &out);
	for (unsigned i = 0; i < ENVELOPE_RCPT_COUNT_MAX; i++)
		envelope_put_rcpt(&r, &out);
	cr_assert_not(buf_failed(&out));
	cr_expect_eq(envelope_check(buf_span(&out), &e), OK);
	cr_expect_eq(e.rcpt_count, ENVELOPE_RCPT_COUNT_MAX);
	envelope_put_rcpt(&r, &out);
	cr_expect_eq(envelope_check(buf_span(&out), &e), ERR_RANGE);
	buf_clear(&out);
}

Test(envelope, writer_at_its_ceiling)
{
	for (size_t max = 0; max < 200; max++) {
		struct envelope head = sample_head();
		struct buf out;

		buf_init(&out, max);
		envelope_put_head(&head, &out);
		envelope_put_rcpt(&sample_rcpts[1], &out);
		cr_expect(buf_failed(&out) || out.n <= max);
		buf_clear(&out);
	}
}

/* Every bit flip and truncation: refused, or a well-formed envelope. */
Test(envelope, flips_and_truncations)
{
	struct buf out;

	buf_init(&out, 4096);
	put_sample(&out);
	for (size_t cut = 0; cut <= out.n; cut++) {
		uint8_t *p = malloc(cut + 1);

		cr_assert_not_null(p);
		memcpy(p, out.p, cut);
		for (size_t bit = 0; bit < cut * 8; bit++) {
			struct envelope e;
			struct envelope_iter it;
			struct envelope_rcpt r;
			uint32_t n = 0;

			if (cut != out.n && bit > 0)
				break;
			p[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (envelope_check(span_of(p, cut), &e) == OK) {
				envelope_iter_init(&e, &it);
				while (envelope_iter_next(&it, &r))
					n++;
				cr_expect_eq(n, e.rcpt_count);
			}
			p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		free(p);
	}
	buf_clear(&out);
}

/* Who authenticated; whatever octets, but not none and not too many. */
Test(envelope, user)
{
	uint8_t long_one[ENVELOPE_USER_MAX + 1] = { 0 };
	struct envelope e = { .sender = SPAN_LIT("a@b.example") }, got;
	static const struct { const char *name; size_t n; enum err e; } users[] = {
		{ "ann", 3, OK }, { "\xff\0\n", 3, OK },
		{ NULL, ENVELOPE_USER_MAX, OK },
		{ NULL, ENVELOPE_USER_MAX + 1, ERR_RANGE },
	};
	struct buf out;

	buf_init(&out, 4096);
	for (size_t i = 0; i < COUNT_OF(users); i++) {
		e.user = span_of(users[i].name != NULL ?
		    (const void *)users[i].name : long_one, users[i].n);
		buf_reset(&out);
		envelope_put_head(&e, &out);
		cr_assert_eq(envelope_check(buf_span(&out), &got), users[i].e,
		    "%zu", i);
		if (users[i].e == OK)
			cr_assert(span_equal(got.user, e.user));
	}
	e.user = SPAN_NONE;
	buf_reset(&out);
	envelope_put_head(&e, &out);
	cr_assert_eq(envelope_check(buf_span(&out), &got), OK);
	cr_assert_eq(got.user.n, 0);
	buf_clear(&out);
}
