/*
 * A next hop in the test's own loop, on 127.0.0.1, with faults to order.
 *
 * RCPT of no…@ is refused (550 5.1.1), of later…@ deferred (450 4.2.1).
 */
#ifndef MTAD_TESTS_DELIVERD_SINK_H
#define MTAD_TESTS_DELIVERD_SINK_H

#include "common/base/buf.h"
#include "common/loop/loop.h"

#define SINK_MAILS 4096

struct sink_mail {
	char rcpts[512];	/* "<a@b> <c@d>" */
	struct buf content;	/* dots and all, without the final one */
};

struct sink {
	/* to order */
	const char *greeting;	/* "220 sink\r\n"; "": silence */
	bool is_plain;		/* no PIPELINING */
	unsigned mails_each;	/* over a connection, then 421; 0: any */
	unsigned rcpts_max;	/* in a transaction, then 452; 0: any */
	bool drops_final;	/* closes instead of the final reply */
	bool is_mute_final;	/* never says it */
	const char *mail_reply;	/* instead of 250 to MAIL */
	/* seen */
	uint16_t port;
	unsigned connections;
	unsigned open;
	unsigned most_open;
	unsigned quits;
	unsigned n_mails;
	struct sink_mail mails[SINK_MAILS];
	struct loop *loop;
	struct listener *listener;
	struct guest *guests;	/* those connected */
};

void sink_open(struct sink *s, struct loop *l);
void sink_close(struct sink *s);

#endif
