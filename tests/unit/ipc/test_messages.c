/* Every message: there and back, cut, flipped, with too much, and the
 * directions in which it may travel. */
#include "common/base/check.h"
#include "common/ipc/frame.h"
#include "mtad_version.h"
#include "tests/unit/ipc/sample.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define SEEDS 20

static void
encode(const struct msg *m, struct buf *b)
{
	buf_init(b, (size_t)1 << 20);
	cr_assert_eq(msg_encode(m, b), OK, "%s", msg_info(m->type)->name);
}

Test(messages, every_type_comes_back_as_it_went)
{
	unsigned types = 0;

	for (unsigned number = 0; number <= MSG_NUMBER_MAX; number++) {
		for (unsigned seed = 0; seed < SEEDS; seed++) {
			struct sample s;
			struct buf once, again;
			struct msg back;

			if (!sample_make(number, seed, &s))
				continue;
			types += seed == 0;
			encode(&s.msg, &once);
			cr_assert_leq(once.n, msg_info(number)->bytes_max);
			cr_assert_eq(msg_decode(number, buf_span(&once),
			    &back), OK, "%s", msg_info(number)->name);
			cr_assert_eq(back.type, number);
			encode(&back, &again);
			cr_assert(span_equal(buf_span(&once),
			    buf_span(&again)));
			buf_clear(&once);
			buf_clear(&again);
			sample_clear(&s);
		}
	}
	cr_assert_gt(types, 40);
}

/* In memory of its own size, so that a read behind its end is seen. */
static enum err
decode_copy(unsigned number, struct span bytes, size_t flip)
{
	uint8_t *copy = malloc(bytes.n + 1);
	struct msg m;
	enum err e;

	memcpy(copy, bytes.p, bytes.n);
	copy = realloc(copy, bytes.n > 0 ? bytes.n : 1);
	if (flip < bytes.n * 8)
		copy[flip / 8] ^= (uint8_t)(1u << (flip % 8));
	e = msg_decode(number, span_of(copy, bytes.n), &m);
	if (e == OK) {
		struct buf again;

		/* whatever is accepted can be sent on unchanged */
		encode(&m, &again);
		cr_assert(span_equal(buf_span(&again),
		    span_of(copy, bytes.n)));
		buf_clear(&again);
	}
	free(copy);
	return e;
}

Test(messages, cut_or_longer_is_refused_and_flipped_does_no_harm)
{
	for (unsigned number = 0; number <= MSG_NUMBER_MAX; number++) {
		struct sample s;
		struct buf b;

		if (!sample_make(number, 3, &s))
			continue;
		encode(&s.msg, &b);
		for (size_t n = 0; n < b.n; n++)
			cr_assert_eq(decode_copy(number, span_of(b.p, n),
			    SIZE_MAX), ERR_SYNTAX, "%s cut at %zu",
			    msg_info(number)->name, n);
		for (size_t bit = 0; bit < b.n * 8; bit++)
			(void)decode_copy(number, buf_span(&b), bit);
		buf_add_byte(&b, 0);
		cr_assert_eq(decode_copy(number, buf_span(&b), SIZE_MAX),
		    ERR_SYNTAX);
		buf_clear(&b);
		sample_clear(&s);
	}
}

Test(messages, lengths_and_counts_beyond_their_maximum_are_refused)
{
	static uint8_t bytes[70000];
	struct msg m = { .type = MSG_peer };
	struct msg_process process = { .pid = 1 };
	struct buf b, list;
	struct msg back;

	buf_init(&b, sizeof(bytes) * 2);
	m.type = MSG_reload_done;
	m.reload_done.text = span_of(bytes, 64 * 1024);
	cr_assert_eq(msg_encode(&m, &b), OK);
	buf_reset(&b);
	m.reload_done.text.n++;
	cr_assert_eq(msg_encode(&m, &b), ERR_RANGE);

	/* the same from a peer that does not ask its own encoder */
	buf_reset(&b);
	wire_put_u64(&b, 1);
	wire_put_u8(&b, 1);
	wire_put_span(&b, span_of(bytes, 64 * 1024 + 1));
	cr_assert_eq(msg_decode(MSG_reload_done, buf_span(&b), &back),
	    ERR_SYNTAX);

	buf_init(&list, sizeof(bytes));
	for (int i = 0; i < 257; i++)
		msg_put_process(&list, &process);
	m = (struct msg){ .type = MSG_processes };
	m.processes.rows = (struct msg_list){ 257, buf_span(&list) };
	buf_reset(&b);
	cr_assert_eq(msg_encode(&m, &b), ERR_RANGE);
	buf_reset(&b);
	wire_put_u32(&b, 257);
	buf_add_span(&b, buf_span(&list));
	cr_assert_eq(msg_decode(MSG_processes, buf_span(&b), &back),
	    ERR_SYNTAX);
	/* a count that promises more than the frame holds */
	buf_reset(&b);
	wire_put_u32(&b, 256);
	cr_assert_eq(msg_decode(MSG_processes, buf_span(&b), &back),
	    ERR_SYNTAX);
	buf_clear(&b);
	buf_clear(&list);
}

Test(messages, a_list_is_walked_in_order_and_ends)
{
	struct msg_process p = { 0 }, out;
	struct msg_list l;
	struct buf b;

	buf_init(&b, 4096);
	for (uint32_t i = 0; i < 5; i++) {
		p.pid = 100 + i;
		msg_put_process(&b, &p);
	}
	l = (struct msg_list){ 5, buf_span(&b) };
	for (uint32_t i = 0; i < 5; i++) {
		cr_assert(msg_next_process(&l, &out));
		cr_assert_eq(out.pid, 100 + i);
	}
	cr_assert_not(msg_next_process(&l, &out));
	/* one that lies about its count ends, too */
	l = (struct msg_list){ 9, buf_span(&b) };
	for (uint32_t i = 0; i < 5; i++)
		cr_assert(msg_next_process(&l, &out));
	cr_assert_not(msg_next_process(&l, &out));
	buf_clear(&b);
}

/* Every number, sender and receiver against the list. */
Test(messages, directions_are_those_of_the_list)
{
	for (unsigned number = 0; number <= MSG_NUMBER_MAX + 2; number++) {
		const struct msg_info *info = msg_info(number);

		for (unsigned from = 0; from <= ROLE_COUNT; from++)
		for (unsigned to = 0; to <= ROLE_COUNT; to++) {
			bool wanted = info != NULL && from < ROLE_COUNT &&
			    to < ROLE_COUNT && (info->from >> from & 1) != 0 &&
			    (info->to >> to & 1) != 0;

			cr_assert_eq(msg_is_allowed(number, from, to), wanted);
		}
	}
	cr_assert(msg_is_allowed(MSG_submit, ROLE_SMTPD, ROLE_QUEUED));
	cr_assert_not(msg_is_allowed(MSG_submit, ROLE_DELIVERD, ROLE_QUEUED));
	cr_assert_not(msg_is_allowed(MSG_config, ROLE_SMTPD, ROLE_QUEUED));
	cr_assert_not(msg_is_allowed(MSG_ctl_reload, ROLE_SMTPD, ROLE_QUEUED));
}

Test(frame, a_header_is_judged_before_its_fields_come)
{
	static const struct {
		uint32_t length;
		uint16_t type;
		uint16_t fds;
		enum err wanted;
	} rows[] = {
		{ 8 + 12, MSG_credit, 0, ERR_PEER },	/* wrong direction */
		{ 8 + 8, MSG_token_ask, 0, ERR_AGAIN },
		{ 8 + 9, MSG_token_ask, 0, ERR_PEER },	/* longer than any */
		{ 7, MSG_token_ask, 0, ERR_PEER },
		{ 0, MSG_token_ask, 0, ERR_PEER },
		{ UINT32_MAX, MSG_submit, 0, ERR_PEER },
		{ 8 + 8, MSG_token_ask, 1, ERR_AGAIN },
		{ 8 + 8, MSG_token_ask, 2, ERR_PEER },
		{ 8, 250, 0, ERR_PEER },		/* no such type */
		{ 8, 65535, 0, ERR_PEER },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct frame f;
		struct why why;
		struct buf b;

		buf_init(&b, 64);
		wire_put_u32(&b, rows[i].length);
		wire_put_u16(&b, rows[i].type);
		wire_put_u16(&b, rows[i].fds);
		cr_assert_eq(frame_get(buf_span(&b), ROLE_SMTPD, ROLE_QUEUED,
		    &f, &why), rows[i].wanted, "row %zu", i);
		buf_clear(&b);
	}
}

Test(frame, a_failed_put_leaves_nothing)
{
	static const uint8_t bytes[200];
	struct msg m = { .type = MSG_log_level };
	struct buf b;

	buf_init(&b, 16);
	cr_assert_eq(frame_put(&b, &m, 0), OK);
	cr_assert_eq(b.n, 9);
	cr_assert_eq(frame_put(&b, &m, 0), ERR_NOMEM);
	cr_assert_eq(b.n, 9);
	cr_assert_not(buf_failed(&b));
	buf_clear(&b);
	buf_init(&b, 4096);
	m = (struct msg){ .type = MSG_hello };
	m.hello.build = span_of(bytes, sizeof(bytes));
	cr_assert_eq(frame_put(&b, &m, 0), ERR_RANGE);
	cr_assert_eq(b.n, 0);
	buf_clear(&b);
}

Test(frame, hello_tells_another_build_and_another_role)
{
	struct msg m = frame_hello(ROLE_SMTPD, 0, 1);
	struct why why;

	cr_assert_eq(frame_check_hello(&m, ROLE_SMTPD, &why), OK);
	cr_assert_eq(frame_check_hello(&m, ROLE_DNSD, &why), ERR_PEER);
	m.hello.build = SPAN_LIT("0.0.0\033[31m");
	cr_assert_eq(frame_check_hello(&m, ROLE_SMTPD, &why), ERR_VERSION);
	cr_assert_str_eq(why.text, "smtpd is of build 0.0.0\\x1b[31m, this is "
	    MTAD_BUILD_ID);
	m.type = MSG_drained;
	cr_assert_eq(frame_check_hello(&m, ROLE_SMTPD, &why), ERR_PEER);
}
