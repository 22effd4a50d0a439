/*
 * DATA, RFC 5321 4.1.1.4, and BDAT, RFC 3030 section 2; what follows 354 or
 * the line of BDAT is rx_body's.
 *
 * That there is a recipient is seen to by the table: RX_RCPT is entered with
 * the first one that was accepted, and DATA is allowed in no other state.
 */
#include "smtpd/engine/rx_impl.h"
#include "smtpd/engine/rx_verbs.h"

#include "common/smtp/smtp_params.h"

/* A chunk that is smaller and not the last one counts as an idle command: a
 * message in single octets is an attack. */
#define SMALL_CHUNK	512

enum rx_reply_id
rx_do_data(struct rx *rx, const struct smtp_command *c)
{
	(void)c;
	/* RFC 3030 section 3: the transaction goes on */
	if (rx->mail.is_binary)
		return RX_REPLY_BINARY_DATA;
	if (rx->mail.refusal != RX_REPLY_NONE)
		return rx->mail.refusal;
	rx_body_begin(rx);
	rx_enter(rx, RX_IN_CONTENT);
	return RX_REPLY_GO_AHEAD;
}

/* 1*20 DIGIT [SP "LAST"] */
static bool
read_chunk(struct span argument, struct rx_chunk *out)
{
	size_t digits = span_find(argument, ' ');
	struct span rest = span_from(argument, digits);

	*out = (struct rx_chunk){ .is_last = rest.n > 0 };
	while (rest.n > 0 && rest.p[0] == ' ')
		rest = span_from(rest, 1);
	if (out->is_last && !span_equal_nocase(rest, SPAN_LIT("LAST")))
		return false;
	return smtp_params_octets(span_sub(argument, 0, digits),
	    &out->bytes) == OK;
}

/* Why a chunk is wrong here. */
static enum rx_reply_id
judge_place(const struct rx *rx)
{
	if (rx->door.needs_tls && !rx->door.is_tls)
		return RX_REPLY_TLS_FIRST;
	switch (rx->state) {
	case RX_RCPT:
		return rx->mail.refusal;
	case RX_CHUNKS:
		return RX_REPLY_NONE;
	default:
		return rx_table_refusal(rx, SMTP_VERB_BDAT);
	}
}

/* Where the next command begins nobody knows, or not soon. */
static enum rx_reply_id
give_up(struct rx *rx, enum rx_reply_id why)
{
	rx_forget(rx);
	rx_enter(rx, RX_CLOSED);
	return why;
}

/* The reply comes when the chunk is there. */
enum rx_reply_id
rx_do_bdat(struct rx *rx, const struct smtp_command *c)
{
	struct rx_chunk chunk;

	if (!read_chunk(c->argument, &chunk))
		return give_up(rx, RX_REPLY_CHUNK_SYNTAX);
	chunk.back = rx->state;
	chunk.refusal = judge_place(rx);
	chunk.left = chunk.bytes;
	if (chunk.refusal == RX_REPLY_NONE && rx->state == RX_RCPT)
		rx_chunks_begin(rx);
	if (rx_chunk_is_too_much(rx, chunk.bytes))
		return give_up(rx, RX_REPLY_ENDLESS_CONTENT);
	if (!chunk.is_last && chunk.bytes < SMALL_CHUNK &&
	    ++rx->junk > RX_JUNK_MAX)
		rx->errors++;
	rx->chunk = chunk;
	rx_enter(rx, RX_IN_CHUNK);
	return RX_REPLY_NONE;
}
