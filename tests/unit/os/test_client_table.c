#include "common/base/check.h"
#include "common/base/rng.h"
#include "common/os/client_table.h"
#include "common/os/fd.h"
#include "common/os/shm.h"
#include "common/os/thread.h"
#include "tests/unit/os/os_support.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct siphash_key key = { 11, 12 };

static struct ipaddr
v4(uint32_t number)
{
	uint8_t bytes[4] = { 10, (uint8_t)(number >> 16),
		(uint8_t)(number >> 8), (uint8_t)number };

	return ipaddr_v4(bytes);
}

static struct client_table *
make(uint32_t workers, uint32_t capacity)
{
	struct client_table *t = NULL;

	cr_assert_eq(client_table_new(workers, capacity, &key, &t), OK);
	return t;
}

static struct client_table *
attach(const struct client_table *parent, uint32_t worker, uint32_t workers,
    uint32_t capacity)
{
	struct client_table *t = NULL;
	int fd = -1;

	cr_assert_eq(fd_dup(client_table_fd(parent), &fd), OK);
	cr_assert_eq(client_table_attach(fd, worker, workers, capacity, &key,
	    &t), OK);
	return t;
}

Test(client_table, sums_over_workers)
{
	struct client_table *parent = make(3, 100), *w[3];
	struct ipaddr a = v4(1), b = v4(2), six, six_near, six_far;
	int before;

	for (uint32_t i = 0; i < 3; i++)
		w[i] = attach(parent, i, 3, 100);
	before = os_count_fds();
	for (uint32_t i = 0; i < 3; i++)
		cr_assert_eq(client_table_enter(w[i], &a), OK);
	cr_assert_eq(client_table_enter(w[1], &a), OK);
	cr_assert_eq(client_table_enter(w[1], &b), OK);
	for (uint32_t i = 0; i < 3; i++) {
		cr_expect_eq(client_table_count(w[i], &a), 4);
		cr_expect_eq(client_table_count(w[i], &b), 1);
		cr_expect_eq(client_table_total(w[i]), 5);
	}
	cr_expect_eq(client_table_total(parent), 5);
	client_table_forget(parent, 1);
	cr_expect_eq(client_table_count(w[0], &a), 2);
	cr_expect_eq(client_table_count(w[0], &b), 0);
	cr_expect_eq(client_table_total(w[0]), 2);
	client_table_leave(w[0], &a);
	cr_expect_eq(client_table_count(w[2], &a), 1);
	client_table_leave(w[0], &a);
	cr_expect_eq(client_table_total(w[2]), 1, "one leave too many");

	cr_assert_eq(ipaddr_parse(SPAN_LIT("2001:db8::1"), &six), OK);
	cr_assert_eq(ipaddr_parse(SPAN_LIT("2001:db8::ffff"), &six_near), OK);
	cr_assert_eq(ipaddr_parse(SPAN_LIT("2001:db8:0:1::1"), &six_far), OK);
	cr_assert_eq(client_table_enter(w[0], &six), OK);
	cr_expect_eq(client_table_count(w[1], &six_near), 1);
	cr_expect_eq(client_table_count(w[1], &six_far), 0);
	cr_expect_eq(os_count_fds(), before);
	for (uint32_t i = 0; i < 3; i++)
		client_table_free(&w[i]);
	client_table_free(&parent);
	client_table_free(&parent);
}

#define CLIENTS 400

Test(client_table, agrees_with_an_array)
{
	struct client_table *parent = make(2, CLIENTS), *w[2];
	uint32_t counts[2][CLIENTS] = { { 0 } }, total = 0;
	struct rng r;

	w[0] = attach(parent, 0, 2, CLIENTS);
	w[1] = attach(parent, 1, 2, CLIENTS);
	rng_init(&r, 31);
	for (int step = 0; step < 200000; step++) {
		size_t k = rng_below(&r, 2), i = rng_below(&r, CLIENTS);
		struct ipaddr a = v4((uint32_t)i);

		if (rng_below(&r, 2) == 0) {
			cr_assert_eq(client_table_enter(w[k], &a), OK);
			counts[k][i]++;
			total++;
		} else if (counts[k][i] > 0) {
			client_table_leave(w[k], &a);
			counts[k][i]--;
			total--;
		}
		i = rng_below(&r, CLIENTS);
		a = v4((uint32_t)i);
		cr_assert_eq(client_table_count(w[k], &a),
		    counts[0][i] + counts[1][i]);
		cr_assert_eq(client_table_total(w[k]), total);
	}
	client_table_free(&w[0]);
	client_table_free(&w[1]);
	client_table_free(&parent);
}

/* The promised number of clients fits, whatever their addresses. */
Test(client_table, holds_its_capacity)
{
	for (uint32_t capacity = 1; capacity <= 65536; capacity *= 4) {
		struct client_table *parent = make(1, capacity);
		struct client_table *w = attach(parent, 0, 1, capacity);
		uint32_t first = capacity * 7;

		for (uint32_t i = 0; i < capacity; i++) {
			struct ipaddr a = v4(first + i);

			cr_assert_eq(client_table_enter(w, &a), OK,
			    "%u of %u", i, capacity);
		}
		cr_expect_eq(client_table_total(w), capacity);
		client_table_free(&w);
		client_table_free(&parent);
	}
}

Test(client_table, full_is_told_and_heals)
{
	struct client_table *parent = make(1, 1);
	struct client_table *w = attach(parent, 0, 1, 1);
	uint32_t entered = 0;
	struct ipaddr a;

	for (;; entered++) {
		a = v4(entered);
		if (client_table_enter(w, &a) != OK)
			break;
		cr_assert_lt(entered, 1000);
	}
	cr_expect_eq(client_table_total(w), entered, "nothing was counted");
	cr_expect_eq(client_table_count(w, &a), 0);
	for (uint32_t i = 0; i < entered; i++) {
		a = v4(i);
		client_table_leave(w, &a);
	}
	cr_expect_eq(client_table_total(w), 0);
	a = v4(entered);
	cr_expect_eq(client_table_enter(w, &a), OK);
	client_table_free(&w);
	client_table_free(&parent);
}

Test(client_table, limits_and_strangers)
{
	struct client_table *t = NULL, *parent = make(2, 10);
	int null = open("/dev/null", O_RDWR);
	int memfd = memfd_create("x", MFD_ALLOW_SEALING);

	cr_expect_eq(client_table_new(0, 1, &key, &t), ERR_RANGE);
	cr_expect_eq(client_table_new(CLIENT_TABLE_WORKERS_MAX + 1, 1, &key,
	    &t), ERR_RANGE);
	cr_expect_eq(client_table_new(1, 0, &key, &t), ERR_RANGE);
	cr_expect_eq(client_table_new(1, CLIENT_TABLE_CAPACITY_MAX + 1, &key,
	    &t), ERR_RANGE);
	cr_expect_eq(client_table_attach(null, 0, 2, 10, &key, &t),
	    ERR_DENIED);
	cr_expect_eq(client_table_attach(memfd, 0, 2, 10, &key, &t),
	    ERR_DENIED);
	cr_expect_eq(client_table_attach(client_table_fd(parent), 0, 3, 10,
	    &key, &t), ERR_DENIED, "another size");
	cr_expect_eq(client_table_attach(client_table_fd(parent), 2, 2, 10,
	    &key, &t), ERR_RANGE);
	cr_expect_null(t);
	client_table_free(&parent);
}

/* A worker gone wrong writes what it likes into all of the memory. */
Test(client_table, noise_does_no_harm)
{
	struct client_table *parent = make(2, 50);
	struct client_table *w = attach(parent, 0, 2, 50);
	struct shm all = { .fd = -1 };
	struct stat st;
	struct rng r;
	int fd = -1;

	cr_assert_eq(fd_dup(client_table_fd(parent), &fd), OK);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert_eq(shm_attach(fd, (size_t)st.st_size, &all), OK);
	rng_init(&r, 41);
	for (int round = 0; round < 200; round++) {
		for (size_t i = 0; i < all.n / 8; i++)
			((uint64_t *)all.p)[i] = round % 2 ? rng_u64(&r) :
			    UINT64_MAX;
		for (uint32_t i = 0; i < 50; i++) {
			struct ipaddr a = v4(i);

			(void)client_table_enter(w, &a);
			(void)client_table_count(w, &a);
			client_table_leave(w, &a);
			client_table_note(w, CLIENT_RATE_MESSAGES, &a,
			    1 + i * 1000, (int64_t)round << 40, UINT32_MAX);
			(void)client_table_rate(w, CLIENT_RATE_MESSAGES, &a,
			    1 + i * 1000, (int64_t)round << 40);
		}
		(void)client_table_total(w);
	}
	client_table_forget(parent, 0);
	client_table_forget(parent, 1);
	cr_expect_eq(client_table_total(w), 0);
	shm_close(&all);
	client_table_free(&w);
	client_table_free(&parent);
}

/* ---- rates ---- */

#define MINUTE 60000u

Test(client_rates, sums_over_workers_and_time)
{
	struct client_table *parent = make(2, 100), *w[2];
	struct ipaddr a = v4(1), b = v4(2), c;
	int64_t t = 10 * MINUTE;

	for (uint32_t i = 0; i < 2; i++)
		w[i] = attach(parent, i, 2, 100);
	cr_expect_eq(client_table_rate(w[0], CLIENT_RATE_MESSAGES, &a, MINUTE,
	    t), 0);
	client_table_note(w[0], CLIENT_RATE_MESSAGES, &a, MINUTE, t, 60);
	client_table_note(w[1], CLIENT_RATE_MESSAGES, &a, MINUTE, t, 40);
	client_table_note(w[1], CLIENT_RATE_CONNECTIONS, &a, MINUTE, t, 7);
	for (uint32_t i = 0; i < 2; i++) {
		cr_expect_eq(client_table_rate(w[i], CLIENT_RATE_MESSAGES, &a,
		    MINUTE, t), 100);
		cr_expect_eq(client_table_rate(w[i], CLIENT_RATE_CONNECTIONS,
		    &a, MINUTE, t), 7);
		cr_expect_eq(client_table_rate(w[i], CLIENT_RATE_MESSAGES, &b,
		    MINUTE, t), 0);
	}
	/* it fades in the next period, and is gone after it */
	t += MINUTE;
	cr_expect_eq(client_table_rate(w[0], CLIENT_RATE_MESSAGES, &a, MINUTE,
	    t), 100);
	cr_expect_eq(client_table_rate(w[0], CLIENT_RATE_MESSAGES, &a, MINUTE,
	    t + MINUTE / 4), 75);
	client_table_note(w[0], CLIENT_RATE_MESSAGES, &a, MINUTE,
	    t + MINUTE / 4, 5);
	cr_expect_eq(client_table_rate(w[0], CLIENT_RATE_MESSAGES, &a, MINUTE,
	    t + MINUTE / 4), 80);
	cr_expect_eq(client_table_rate(w[0], CLIENT_RATE_MESSAGES, &a, MINUTE,
	    t + MINUTE), 5);
	cr_expect_eq(client_table_rate(w[0], CLIENT_RATE_MESSAGES, &a, MINUTE,
	    t + 2 * MINUTE), 0);
	/* a /64 is one client */
	cr_assert_eq(ipaddr_parse(SPAN_LIT("2001:db8::1"), &a), OK);
	cr_assert_eq(ipaddr_parse(SPAN_LIT("2001:db8::ffff"), &c), OK);
	client_table_note(w[0], CLIENT_RATE_MESSAGES, &a, MINUTE, t, 3);
	cr_expect_eq(client_table_rate(w[1], CLIENT_RATE_MESSAGES, &c, MINUTE,
	    t), 3);
	/* a worker that died has still seen what it has seen */
	client_table_note(w[1], CLIENT_RATE_RECIPIENTS, &b, MINUTE, t, 9);
	client_table_forget(parent, 1);
	cr_expect_eq(client_table_rate(w[0], CLIENT_RATE_RECIPIENTS, &b,
	    MINUTE, t), 9);
	/* a reload with another period begins anew */
	cr_expect_eq(client_table_rate(w[0], CLIENT_RATE_RECIPIENTS, &b,
	    MINUTE / 2, t), 0);
	for (uint32_t i = 0; i < 2; i++)
		client_table_free(&w[i]);
	client_table_free(&parent);
}

/* In no period, wherever it begins, more than the limit and what the fading
 * part may err by. */
Test(client_rates, a_limit_holds_over_any_period)
{
	struct client_table *parent = make(1, 100);
	struct client_table *w = attach(parent, 0, 1, 100);
	static uint32_t at[6000];
	struct ipaddr a = v4(1);
	uint32_t total = 0;
	struct rng r;

	rng_init(&r, 51);
	for (uint32_t ms = 0; ms < COUNT_OF(at); ms++) {
		uint64_t tries = rng_below(&r, 3);

		for (; tries > 0 && client_table_rate(w,
		    CLIENT_RATE_MESSAGES, &a, 1000, ms + 5000) < 50; tries--) {
			client_table_note(w, CLIENT_RATE_MESSAGES, &a, 1000,
			    ms + 5000, 1);
			at[ms]++;
			total++;
		}
	}
	/* nor much less than that in all */
	cr_expect_geq(total, 150, "%u", total);
	for (uint32_t from = 0; from + 1000 <= COUNT_OF(at); from++) {
		uint32_t sum = 0;

		for (uint32_t i = 0; i < 1000; i++)
			sum += at[from + i];
		cr_assert_leq(sum, 100, "from %u: %u", from, sum);
	}
	client_table_free(&w);
	client_table_free(&parent);
}

/* Thousands that came once do not hide one who comes again and again. */
Test(client_rates, who_did_least_is_forgotten)
{
	struct client_table *parent = make(1, 1);
	struct client_table *w = attach(parent, 0, 1, 1);
	struct ipaddr busy = v4(1);

	for (uint32_t i = 0; i < 20000; i++) {
		struct ipaddr a = v4(100 + i);

		client_table_note(w, CLIENT_RATE_CONNECTIONS, &a, MINUTE, 1,
		    1);
		if (i % 100 == 0)
			client_table_note(w, CLIENT_RATE_CONNECTIONS, &busy,
			    MINUTE, 1, 10);
	}
	cr_expect_eq(client_table_rate(w, CLIENT_RATE_CONNECTIONS, &busy,
	    MINUTE, 1), 2000);
	client_table_free(&w);
	client_table_free(&parent);
}

static void *
churn(void *arg)
{
	struct client_table *w = arg;
	struct ipaddr steady = v4(1);

	if (client_table_enter(w, &steady) != OK)
		return w;
	for (uint32_t i = 0; i < 200000; i++) {
		struct ipaddr a = v4(100 + i % 300);

		if (client_table_enter(w, &a) != OK)
			return w;
		client_table_leave(w, &a);
	}
	return NULL;
}

/* While two write, a third always sees the client that does not move. */
Test(client_table, readers_see_what_stays)
{
	struct client_table *parent = make(2, 400), *w[2];
	struct ipaddr steady = v4(1);
	pthread_t threads[2];
	void *failed;

	for (uint32_t i = 0; i < 2; i++) {
		w[i] = attach(parent, i, 2, 400);
		cr_assert_eq(client_table_enter(w[i], &steady), OK);
		cr_assert_eq(thread_start("churn", churn, w[i], &threads[i]),
		    OK);
	}
	for (int i = 0; i < 20000; i++) {
		uint32_t count = client_table_count(parent, &steady);

		cr_assert(count >= 2 && count <= 4, "%u", count);
	}
	for (uint32_t i = 0; i < 2; i++) {
		pthread_join(threads[i], &failed);
		cr_expect_null(failed);
	}
	cr_expect_eq(client_table_total(parent), 4);
	client_table_free(&w[0]);
	client_table_free(&w[1]);
	client_table_free(&parent);
}
