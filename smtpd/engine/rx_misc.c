/*
 * The verbs that bring no mail, RFC 5321 4.1.1.5 to 4.1.1.10.
 *
 * HELP, NOOP and VRFY look at nothing and say the same to everybody: there is
 * nothing to be learned from them.  What they cost is bounded by the budget
 * for idle commands in rx.c.
 */
#include "smtpd/engine/rx_impl.h"
#include "smtpd/engine/rx_verbs.h"

enum rx_reply_id
rx_do_rset(struct rx *rx, const struct smtp_command *c)
{
	(void)c;
	rx_forget(rx);
	return RX_REPLY_RESET;
}

enum rx_reply_id
rx_do_noop(struct rx *rx, const struct smtp_command *c)
{
	(void)rx;
	(void)c;
	return RX_REPLY_NOOP;
}

/* 252 whatever is asked: RFC 5321 7.3 */
enum rx_reply_id
rx_do_vrfy(struct rx *rx, const struct smtp_command *c)
{
	(void)rx;
	(void)c;
	return RX_REPLY_VRFY;
}

enum rx_reply_id
rx_do_help(struct rx *rx, const struct smtp_command *c)
{
	(void)rx;
	(void)c;
	return RX_REPLY_HELP;
}

enum rx_reply_id
rx_do_quit(struct rx *rx, const struct smtp_command *c)
{
	(void)c;
	rx_forget(rx);
	rx_enter(rx, RX_CLOSED);
	rx->has_quit = true;
	return RX_REPLY_BYE;
}

/* A verb of SMTP that this server doesn't offer. */
enum rx_reply_id
rx_do_absent(struct rx *rx, const struct smtp_command *c)
{
	(void)rx;
	(void)c;
	return RX_REPLY_NOT_OFFERED;
}

enum rx_reply_id
rx_do_unknown(struct rx *rx, const struct smtp_command *c)
{
	(void)rx;
	(void)c;
	return RX_REPLY_UNKNOWN;
}

/* A browser made to talk to us must get nothing out of it: what follows would
 * be commands in the middle of its request. */
enum rx_reply_id
rx_do_foreign(struct rx *rx, const struct smtp_command *c)
{
	(void)c;
	rx_forget(rx);
	rx_enter(rx, RX_CLOSED);
	return RX_REPLY_FOREIGN;
}
