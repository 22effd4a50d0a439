#include "names.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "bench.h"
#include "common/dns/dns_wire.h"
#include "common/ipc/ask.h"
#include "common/ipc/channel.h"

static struct channel *ours, *theirs;

static void
answer_name(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	static const uint8_t loopback[4] = { 127, 0, 0, 1 };
	struct msg answer = { .type = MSG_dns_answer };
	struct msg_dns_record r = { .type = m->dns_ask.type, .ttl = 60 };
	struct buf list;

	(void)ctx;
	(void)fd;
	if (m->type != MSG_dns_ask)
		return;
	buf_init(&list, 1000);
	answer.dns_answer.question = m->dns_ask.question;
	answer.dns_answer.status = DNS_NO_DATA;
	if (span_equal(m->dns_ask.name, SPAN_LIT("gone.example"))) {
		answer.dns_answer.status = DNS_NO_NAME;
	} else if (r.type == DNS_TYPE_MX || r.type == DNS_TYPE_A) {
		r.data = r.type == DNS_TYPE_MX ? SPAN_LIT("mx.example") :
		    span_of(loopback, 4);
		msg_put_dns_record(&list, &r);
		answer.dns_answer.status = DNS_OK;
		answer.dns_answer.records = (struct msg_list){ 1,
		    buf_span(&list) };
	}
	(void)channel_send(c, &answer);
	buf_clear(&list);
}

static void
take_answer(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	struct bench *b = ctx;

	(void)c;
	(void)fd;
	if (m->type == MSG_dns_answer)
		ask_answer(b->d.ask, &m->dns_answer);
}

static void
on_close(void *ctx, struct channel *c, enum channel_end e, const char *why)
{
	(void)ctx;
	(void)c;
	(void)e;
	fprintf(stderr, "channel: %s\n", why);
	abort();
}

void
names_open(struct bench *b)
{
	static const struct channel_ops ask_ops = { take_answer, on_close };
	static const struct channel_ops answer_ops = { answer_name, on_close };
	const struct channel_id deliverd = { ROLE_DELIVERD, 0, 5 };
	const struct channel_id dnsd = { ROLE_DNSD, 0, 6 };
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0 ||
	    channel_new(b->d.loop, fds[0], &deliverd, &dnsd, &ask_ops, b,
	    &ours) != OK || channel_new(b->d.loop, fds[1], &dnsd, &deliverd,
	    &answer_ops, b, &theirs) != OK)
		abort();
	ask_set_channel(b->d.ask, ours);
}

void
names_close(struct bench *b)
{
	ask_set_channel(b->d.ask, NULL);
	channel_close(&ours);
	channel_close(&theirs);
}
