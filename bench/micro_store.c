/*
 * What a message costs the thread that owns the spool, without peers.
 *
 *   micro_store DIRECTORY churn|accept|drain COUNT BATCH BYTES
 *
 * churn: each message is submitted, synced, and settled; accept: submitted and
 * left; drain: settled after all were submitted.  BATCH messages are appended
 * in each turn.  Prints messages a second and the CPU time of the owner's
 * thread, of which "user" is ours and the rest is the kernel's.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "common/base/check.h"
#include "common/mail/envelope.h"
#include "common/os/clock.h"
#include "queued/store/store_read.h"
#include "queued/store/store_silent.h"
#include "queued/store/store_write.h"

struct bench {
	struct store *store;
	struct buf envelope;
	uint8_t *body;
	size_t body_bytes;
	uint64_t *ids;
	size_t submitted, synced, settled;
	uint64_t *groups;		/* of each message */
};

static void
on_synced(void *ctx, uint64_t group)
{
	struct bench *b = ctx;

	while (b->synced < b->submitted && b->groups[b->synced] <= group)
		b->synced++;
	if (b->store != NULL)
		store_answered(b->store, group);
}

static void
on_notice(void *ctx, const char *event, const char *text)
{
	(void)ctx;
	fprintf(stderr, "%s: %s\n", event, text);
}

static struct span
key_of(void *ctx, struct span recipient)
{
	(void)ctx;
	return span_from(recipient, span_find(recipient, '@') + 1);
}

static bool
submit(struct bench *b)
{
	struct store_submission sub = { .token = b->submitted + 1,
	    .arrived_at = 1000, .envelope = buf_span(&b->envelope),
	    .trace_head = SPAN_LIT("Received: from client.example.org by "
	    "mail.example.org with ESMTP id "),
	    .trace_tail = SPAN_LIT("; Sun, 22 Nov 2026 10:00:00 +0000\r\n"),
	    .body = span_of(b->body, b->body_bytes), .key_of = key_of };
	uint64_t group = store_group(b->store);
	struct store_unit *u;

	if (store_submit(b->store, &sub, &u) != OK)
		return false;
	b->ids[b->submitted] = u->message->id;
	b->groups[b->submitted++] = group;
	return true;
}

static void
settle(struct bench *b)
{
	struct store_result result = { .is_settled = true, .code = 250,
	    .status = SPAN_LIT("2.0.0"), .text = SPAN_LIT("ok: queued"),
	    .host = SPAN_LIT("mx.example.net") };
	struct store_verdict v = { .begun_at = 1, .tries = 1,
	    .results = &result, .count = 1 };
	struct store_unit *u =
	    store_find_unit(b->store, b->ids[b->settled++], 0);
	bool is_over;

	MUST(u != NULL);
	MUST(store_content_cached(b->store, u->message).n > 0 ||
	    b->settled > 0);
	MUST(store_verdict(b->store, u, &v, &is_over) == OK && is_over);
}

static void
turn(struct bench *b, int ms)
{
	struct pollfd fd = { .fd = store_fd(b->store), .events = POLLIN };

	store_flush(b->store, clock_mono_ms());
	(void)poll(&fd, 1, ms);
	store_turn(b->store);
}

static double
seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static void
report(const char *what, size_t count, int64_t begin_ms)
{
	double wall = (double)(clock_mono_ms() - begin_ms) / 1e3;
	struct rusage usage;

	(void)getrusage(RUSAGE_THREAD, &usage);
	printf("%s %zu messages: %.0f/s, owner %.2f us user %.2f us system\n",
	    what, count, (double)count / wall,
	    seconds(&usage.ru_utime) * 1e6 / (double)count,
	    seconds(&usage.ru_stime) * 1e6 / (double)count);
}

static void
run(struct bench *b, size_t count, size_t batch, bool settles, bool at_once)
{
	while (b->synced < count || (settles && b->settled < count)) {
		for (size_t i = 0; i < batch && b->submitted < count; i++) {
			if (!submit(b))
				break;
		}
		while (settles && b->settled < b->synced &&
		    (at_once || b->synced == count))
			settle(b);
		turn(b, 100);
	}
}

static void
make_envelope(struct buf *out)
{
	struct envelope e = { .sender = SPAN_LIT("sender@example.org"),
	    .helo = SPAN_LIT("client.example.org"),
	    .client = SPAN_LIT("\177\0\0\1"), .arrived_at = 1000 };
	struct envelope_rcpt rcpt =
	    { .address = SPAN_LIT("recipient@example.net") };

	buf_init(out, 1 << 16);
	envelope_put_head(&e, out);
	envelope_put_rcpt(&rcpt, out);
}

int
main(int argc, char **argv)
{
	struct store_params params = { .memory_bytes = 64 << 20 };
	struct store_ops ops = store_silent();
	struct bench b = { .store = NULL };
	size_t count, batch;
	int64_t begin;
	struct why why;

	if (argc != 6) {
		fprintf(stderr, "usage: %s DIRECTORY churn|accept|drain "
		    "COUNT BATCH BYTES\n", argv[0]);
		return 2;
	}
	params.path = argv[1];
	count = strtoul(argv[3], NULL, 10);
	batch = strtoul(argv[4], NULL, 10);
	b.body_bytes = strtoul(argv[5], NULL, 10);
	b.body = calloc(1, b.body_bytes + 1);
	b.ids = calloc(count + 1, sizeof(*b.ids));
	b.groups = calloc(count + 1, sizeof(*b.groups));
	MUST(b.body != NULL && b.ids != NULL && b.groups != NULL);
	make_envelope(&b.envelope);
	ops.on_synced = on_synced;
	ops.on_notice = on_notice;
	if (store_open(&params, &ops, &b, &b.store, &why) != OK) {
		fprintf(stderr, "%s\n", why.text);
		return 1;
	}
	begin = clock_mono_ms();
	run(&b, count, batch, argv[2][0] != 'a', argv[2][0] == 'c');
	report(argv[2], count, begin);
	store_close(&b.store);
	buf_clear(&b.envelope);
	free(b.body);
	free(b.ids);
	free(b.groups);
	return 0;
}
