/*
 * Fetches one URL (or the same one several times) as fetchd does, with a dnsd
 * that knows what the command line says; for test_fetch.py.
 *
 *   fetch_one [-a FILE] [-n NAME=ADDRESS]... [-l] [-o ADDRESS:PORT] [-b BYTES]
 *       [-t MS] [-p TYPE BODY] [-h FIELD] [-u] [-c COUNT] [-x MS] URL
 *
 * -a authorities; -l the loopback is allowed; -o an own endpoint; -p POST;
 * -h one more field of the header; -u the URL is ours; -x cancels after so long; a NAME=- is one that can't be
 * looked up.  An answer is a line "status type bytes text", then the body.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/dns/dns_wire.h"
#include "common/ipc/ask.h"
#include "common/ipc/channel.h"
#include "common/loop/timer.h"
#include "common/os/fd.h"
#include "common/os/file.h"
#include "fetchd/fetch.h"

#define NAMES_MAX	16
#define PEM_MAX		((size_t)2 * 1024 * 1024)

struct rig {
	struct loop *loop;
	struct ask *ask;
	struct fetch *fetch;
	struct channel *ours, *theirs;	/* fetchd's end, dnsd's end */
	const char *names[NAMES_MAX];
	size_t n_names;
	unsigned left;			/* answers to come */
};

static void
on_close(void *ctx, struct channel *c, enum channel_end end, const char *why)
{
	(void)ctx;
	(void)c;
	(void)end;
	(void)fprintf(stderr, "channel: %s\n", why);
	exit(1);
}

static void
on_answer(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	struct rig *r = ctx;

	(void)c;
	(void)fd;
	ask_answer(r->ask, &m->dns_answer);
}

static void
put_address(struct buf *b, struct ipaddr ip, uint16_t type, uint32_t *n)
{
	struct msg_dns_record record = { .type = type, .ttl = 60 };

	record.data = span_of(ip.bytes, ip.family == IPADDR_4 ? 4 : 16);
	msg_put_dns_record(b, &record);
	++*n;
}

/* The addresses of the asked family that the command line gives it. */
static void
on_question(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	const struct msg_dns_ask *ask = &m->dns_ask;
	struct rig *r = ctx;
	struct msg answer = { .type = MSG_dns_answer };
	struct buf records;

	(void)fd;
	buf_init(&records, 4096);
	answer.dns_answer.question = ask->question;
	answer.dns_answer.status = DNS_NO_NAME;
	for (size_t i = 0; i < r->n_names; i++) {
		struct span name = span_str(r->names[i]), text;
		size_t end = span_find(name, '=');
		struct ipaddr ip;

		text = span_from(name, end + 1);
		if (!span_equal(span_sub(name, 0, end), ask->name))
			continue;
		if (span_equal(text, SPAN_LIT("-")))
			answer.dns_answer.status = DNS_TEMPORARY;
		else if (answer.dns_answer.status != DNS_TEMPORARY)
			answer.dns_answer.status = DNS_OK;
		if (ipaddr_parse(text, &ip) == OK && (ip.family == IPADDR_4) ==
		    (ask->type == DNS_TYPE_A))
			put_address(&records, ip, ask->type,
			    &answer.dns_answer.records.n);
	}
	answer.dns_answer.records.bytes = buf_span(&records);
	MUST(channel_send(c, &answer) == OK);
	buf_clear(&records);
}

static void
on_fetched(void *ctx, const struct fetch_answer *a)
{
	struct rig *r = ctx;

	(void)printf("%u %s %zu %s%s\n", a->status,
	    a->content_type[0] != '\0' ? a->content_type : "-", a->body.n,
	    a->is_untrusted ? "untrusted, " : "", a->text);
	if (a->body.n > 0)
		(void)fwrite(a->body.p, 1, a->body.n, stdout);
	if (--r->left == 0)
		loop_stop(r->loop);
}

static void
on_cancel(void *ctx)
{
	struct rig *r = ctx;

	fetch_cancel(r->fetch, r);
	(void)printf("cancelled, %zu left\n", fetch_count(r->fetch));
	loop_stop(r->loop);
}

static void
make_channels(struct rig *r)
{
	static const struct channel_ops our_ops = { on_answer, on_close };
	static const struct channel_ops dnsd_ops = { on_question, on_close };
	static const struct channel_id fetchd = { .role = ROLE_FETCHD };
	static const struct channel_id dnsd = { .role = ROLE_DNSD };
	int ends[2];

	MUST(fd_pair(ends) == OK);
	MUST(channel_new(r->loop, ends[0], &fetchd, &dnsd, &our_ops, r,
	    &r->ours) == OK);
	MUST(channel_new(r->loop, ends[1], &dnsd, &fetchd, &dnsd_ops, r,
	    &r->theirs) == OK);
	ask_set_channel(r->ask, r->ours);
}

static void
read_authorities(struct rig *r, const char *path)
{
	struct why why;
	struct buf pem;

	buf_init(&pem, PEM_MAX);
	MUST(file_read(AT_FDCWD, path, PEM_MAX, &pem, &why) == OK);
	MUST(fetch_set_authorities(r->fetch, buf_span(&pem)) == OK);
	buf_clear(&pem);
}

static void
start(struct rig *r, const struct fetch_request *request, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		enum err e = fetch_start(r->fetch, request, on_fetched, r);

		if (e != OK)
			(void)printf("refused: %s\n", err_text(e));
		else
			r->left++;
	}
}

int
main(int argc, char **argv)
{
	struct rig r = { .left = 0 };
	struct fetch_setup setup = { .has_ipv4 = true, .has_ipv6 = true,
	    .dns_ms = 2000 };
	struct fetch_request request = { .bytes_max = 65536,
	    .timeout_ms = 10000 };
	const struct siphash_key seed = { 1, 2 };
	const char *authorities = NULL;
	struct endpoint own;
	struct timer timer;
	unsigned count = 1;
	long cancel_ms = -1;
	int c;

	while ((c = getopt(argc, argv, "a:n:lo:b:t:p:h:uc:x:")) != -1) {
		switch (c) {
		case 'a':
			authorities = optarg;
			break;
		case 'n':
			MUST(r.n_names < NAMES_MAX);
			r.names[r.n_names++] = optarg;
			break;
		case 'l':
			setup.may_loopback = true;
			break;
		case 'o':
			MUST(endpoint_parse(span_str(optarg), 0, &own) == OK);
			setup.own = &own;
			setup.n_own = 1;
			break;
		case 'b':
			request.bytes_max = (size_t)atol(optarg);
			break;
		case 't':
			request.timeout_ms = atol(optarg);
			break;
		case 'p':
			request.content_type = optarg;
			request.body = span_str(argv[optind++]);
			break;
		case 'h':
			request.header = optarg;
			break;
		case 'u':
			request.is_ours = true;
			break;
		case 'c':
			count = (unsigned)atol(optarg);
			break;
		case 'x':
			cancel_ms = atol(optarg);
			break;
		default:
			return 2;
		}
	}
	MUST(optind + 1 == argc);
	request.url = argv[optind];
	MUST(loop_new(&r.loop) == OK);
	MUST(ask_new(r.loop, &seed, &r.ask) == OK);
	MUST(fetch_new(r.loop, r.ask, &r.fetch) == OK);
	MUST(fetch_set_up(r.fetch, &setup) == OK);
	if (authorities != NULL)
		read_authorities(&r, authorities);
	make_channels(&r);
	MUST(timer_init(&timer, r.loop, on_cancel, &r) == OK);
	if (cancel_ms >= 0)
		timer_start(&timer, cancel_ms);
	start(&r, &request, count);
	if (r.left > 0)
		loop_run(r.loop);
	fetch_free(&r.fetch);
	channel_close(&r.ours);
	channel_close(&r.theirs);
	ask_free(&r.ask);
	timer_clear(&timer);
	loop_free(&r.loop);
	return 0;
}
