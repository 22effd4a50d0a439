/* Our passwords at next hops: who asks gets the one he names, or its proof. */
#include <criterion/criterion.h>

#include "keyd/relay.h"

static struct relay relay;
static struct relay_answer store;

static void
begin(void)
{
	static const struct msg_hop_secret rows[] = {
		{ SPAN_LIT("/etc/mtad/a"), SPAN_LIT("pencil") },
		{ SPAN_LIT("/etc/mtad/b"), SPAN_LIT("other") },
	};
	struct buf bytes;
	struct msg_list list = { .n = 2 };

	relay_init(&relay);
	buf_init(&bytes, 4096);
	for (size_t i = 0; i < 2; i++)
		msg_put_hop_secret(&bytes, &rows[i]);
	list.bytes = buf_span(&bytes);
	cr_assert_eq(relay_take(&relay, &list), OK);
	buf_clear(&bytes);
}

static void
end(void)
{
	relay_clear(&relay);
}

TestSuite(keyd_relay, .init = begin, .fini = end);

static struct msg_hop_answer
ask(struct msg_hop_ask q)
{
	struct msg m;

	q.cookie = 7;
	relay_ask(&relay, &q, &store, &m);
	cr_assert_eq(m.type, MSG_hop_answer);
	cr_assert_eq(m.hop_answer.cookie, 7);
	return m.hop_answer;
}

Test(keyd_relay, passwords)
{
	struct msg_hop_answer a = ask((struct msg_hop_ask){
	    .name = SPAN_LIT("/etc/mtad/b") });

	cr_expect_eq(a.result, AUTH_GOOD);
	cr_expect(span_equal(a.password, SPAN_LIT("other")));
	cr_expect_eq(a.proof.n, 0);
	a = ask((struct msg_hop_ask){ .name = SPAN_LIT("/etc/mtad/c") });
	cr_expect_eq(a.result, AUTH_BAD);
	cr_expect_eq(a.password.n, 0);
	/* a reload without them */
	cr_assert_eq(relay_take(&relay, &(struct msg_list){ .n = 0 }), OK);
	a = ask((struct msg_hop_ask){ .name = SPAN_LIT("/etc/mtad/b") });
	cr_expect_eq(a.result, AUTH_BAD);
}

/* RFC 7677 section 3; and hosts that want too little or too much. */
Test(keyd_relay, proofs)
{
	struct msg_hop_ask q = {
		.name = SPAN_LIT("/etc/mtad/a"), .wants_proof = 1,
		.iterations = 4096,
		.salt = SPAN_LIT("\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b"
		    "\x14\x12\x36\xfa\x81"),
		.auth_message = SPAN_LIT("n=user,r=rOprNGfwEbeRWgbNEkqO,"
		    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
		    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
		    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)"
		    "hNlF$k0"),
	};
	struct msg_hop_answer a = ask(q);

	cr_assert_eq(a.result, AUTH_GOOD);
	cr_assert_eq(a.proof.n, 32);
	cr_expect_eq(a.proof.p[0], 0x74);
	cr_expect_eq(a.proof.p[31], 0x54);
	cr_expect_eq(a.signature.p[0], 0xea);
	cr_expect_eq(a.password.n, 0);
	q.iterations = 4095;
	cr_expect_eq(ask(q).result, AUTH_BAD);
	q.iterations = RELAY_ITERATIONS_MAX + 1;
	cr_expect_eq(ask(q).result, AUTH_BAD);
	q.iterations = 4096;
	q.salt = SPAN_NONE;
	cr_expect_eq(ask(q).result, AUTH_BAD);
}
