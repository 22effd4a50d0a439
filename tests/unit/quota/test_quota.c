/* Who may hand in how much, and what outlives a restart. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "common/base/crc32c.h"
#include "common/base/wire.h"
#include "common/confload/conf_load.h"
#include "queued/quota/quota.h"

enum { HOUR = 3600000, DAY = 24 * HOUR };

static struct conf *conf;
static struct quota *quota;
static struct {
	unsigned times;
	enum conf_each each;
	char name[256];
	int64_t wait_ms;
} full;

static void
on_full(void *ctx, const struct quota_view *view)
{
	cr_assert_eq(ctx, &full);
	full.times++;
	full.each = view->each;
	full.wait_ms = view->wait_ms;
	(void)snprintf(full.name, sizeof(full.name), "%.*s",
	    (int)view->name.n, (const char *)view->name.p);
}

static const struct quota_ops ops = { .on_full = on_full };

static void
take_yaml(const char *yaml)
{
	struct conf_report report;
	struct conf *new;

	conf_report_init(&report, "test.yaml");
	cr_assert_eq(conf_load(span_str(yaml), "/tmp", &report, &new), OK,
	    "%s", yaml);
	conf_report_clear(&report);
	cr_assert_eq(quota_take_conf(quota, new), OK);
	conf_free(&conf);
	conf = new;
}

static void
begin(void)
{
	const struct siphash_key seed = { 1, 2 };

	memset(&full, 0, sizeof(full));
	cr_assert_eq(quota_new(&seed, &ops, &full, &quota), OK);
}

static void
end(void)
{
	quota_free(&quota);
	conf_free(&conf);
}

TestSuite(quota, .init = begin, .fini = end);

static enum quota_verdict
take(const char *user, const char *client, uint32_t rcpts, int64_t now)
{
	struct conf_quota_who who = { .user = span_str(user) };

	if (client != NULL)
		cr_assert_eq(ipaddr_parse(span_str(client), &who.client), OK);
	return quota_take(quota, &who, rcpts, now);
}

#define OUTSIDE "198.51.100.7"
#define INSIDE "10.1.2.3"

static unsigned
take_all(const char *user, const char *client, uint32_t rcpts, int64_t now)
{
	unsigned n = 0;

	while (n < 5000 && take(user, client, rcpts, now) == QUOTA_FITS)
		n++;
	return n;
}

/* A stolen account ends within its first hundred messages. */
Test(quota, a_user_from_outside)
{
	take_yaml("relay: {networks: [10.0.0.0/8]}");
	cr_assert_eq(take_all("ann", OUTSIDE, 1, 1000), 100);
	cr_assert_eq(full.times, 1);
	cr_assert_eq(full.each, CONF_EACH_USER);
	cr_assert_str_eq(full.name, "ann");
	cr_assert_gt(full.wait_ms, HOUR);
	/* others are not touched, nor she herself from inside, nor strangers */
	cr_assert_eq(take("bob", OUTSIDE, 1, 1000), QUOTA_FITS);
	cr_assert_eq(take_all("ann", INSIDE, 1, 1000), 5000);
	cr_assert_eq(take_all("ann", NULL, 1, 1000), 5000);
	cr_assert_eq(take_all("", OUTSIDE, 1, 1000), 5000);
	/* refused ones do not put it off */
	cr_assert_eq(take("ann", OUTSIDE, 1, 1000 + full.wait_ms), QUOTA_FITS);
	cr_assert_eq(take("ann", OUTSIDE, 1, 1000 + full.wait_ms - 1),
	    QUOTA_USED_UP);
}

Test(quota, recipients_count)
{
	take_yaml("relay: {networks: [10.0.0.0/8]}");
	cr_assert_eq(take("ann", OUTSIDE, 600, 0), QUOTA_FITS);
	cr_assert_eq(take("ann", OUTSIDE, 401, 0), QUOTA_USED_UP);
	cr_assert_eq(take("ann", OUTSIDE, 1001, 0), QUOTA_TOO_MUCH);
	cr_assert_eq(take("ann", OUTSIDE, 400, 0), QUOTA_FITS);
	cr_assert_eq(full.times, 1);	/* a smaller one still fitted before */
	cr_assert_eq(take("ann", OUTSIDE, 1, 0), QUOTA_USED_UP);
	cr_assert_eq(take("ann", OUTSIDE, 1, 2 * DAY), QUOTA_FITS);
}

/* For each kind the first row that matches, and no other. */
Test(quota, rows)
{
	take_yaml("quotas:\n"
	    "- {each: user, users: newsletter, messages: 1000/1h}\n"
	    "- {each: user, users: [boss, '*@board.example']}\n"
	    "- {each: user, messages: 3/1h}\n"
	    "- {each: client, networks: [192.0.2.0/24, '2001:db8::/32'],"
	    " messages: 5/1d}\n"
	    "- {each: network, networks: 10.0.0.0/8, recipients: 70/1d}\n");
	cr_assert_eq(take_all("newsletter", OUTSIDE, 1, 0), 1000);
	cr_assert_eq(take_all("boss", OUTSIDE, 1, 0), 5000);
	cr_assert_eq(take_all("Eve@Board.example", OUTSIDE, 1, 0), 5000);
	cr_assert_eq(take_all("ann", OUTSIDE, 1, 0), 3);
	/* both of the client and of the user: the narrower ends it */
	cr_assert_eq(take_all("bob", "192.0.2.1", 1, 0), 3);
	cr_assert_eq(take_all("", "192.0.2.1", 1, 0), 2);
	cr_assert_str_eq(full.name, "192.0.2.1");
	cr_assert_eq(take_all("", "2001:db8::1", 1, 0), 5);
	cr_assert_str_eq(full.name, "2001:db8::/64");
	cr_assert_eq(take_all("", "2001:db8::2", 1, 0), 0);
	/* all of a network together */
	cr_assert_eq(take("", "10.0.0.1", 40, 0), QUOTA_FITS);
	cr_assert_eq(take("", "10.9.0.1", 31, 0), QUOTA_USED_UP);
	cr_assert_eq(take("", "10.9.0.1", 30, 0), QUOTA_FITS);
	cr_assert_str_eq(full.name, "10.0.0.0/8");
}

/* What one limit refuses, the others have not seen. */
Test(quota, refused_is_not_counted)
{
	take_yaml("quotas:\n"
	    "- {each: user, messages: 10/1h}\n"
	    "- {each: client, messages: 4/1h}\n");
	cr_assert_eq(take_all("ann", OUTSIDE, 1, 0), 4);
	cr_assert_eq(take_all("ann", OUTSIDE, 1, 0), 0);
	cr_assert_eq(take_all("ann", "198.51.100.8", 1, 0), 4);
	cr_assert_eq(take_all("ann", "198.51.100.9", 1, 0), 2);
}

/* Counts stay where a row is moved, or has other numbers. */
Test(quota, an_edited_file)
{
	take_yaml("quotas: [{each: user, users: a*, messages: 10/1h}]");
	cr_assert_eq(take_all("ann", OUTSIDE, 1, 0), 10);
	take_yaml("quotas: [{each: client, messages: 90/1h},"
	    " {each: user, users: a*, messages: 12/1h}]");
	full.times = 0;
	cr_assert_eq(take_all("ann", OUTSIDE, 1, 0), 2);
	cr_assert_eq(full.times, 1);
	take_yaml("quotas: [{each: user, users: a*}]");
	cr_assert_eq(take_all("ann", OUTSIDE, 1, 0), 5000);
}

Test(quota, an_operator_looks_and_resets)
{
	struct quota_view view;
	uint64_t cursor = 0;
	unsigned n = 0;

	take_yaml("quotas: [{each: user, messages: 2/1h},"
	    " {each: client, recipients: 50/1d}]");
	cr_assert_eq(take_all("ann", OUTSIDE, 3, 0), 2);
	while (quota_next(quota, &cursor, HOUR / 2, &view)) {
		n++;
		if (view.each == CONF_EACH_USER) {
			cr_assert_eq(view.use[QUOTA_MESSAGES].used, 2);
			cr_assert_eq(view.use[QUOTA_RECIPIENTS].limit.count, 0);
			cr_assert_eq(view.wait_ms, HOUR);
			cr_assert_eq(view.refused, 1);
		} else {
			cr_assert_eq(view.use[QUOTA_RECIPIENTS].used, 6);
			cr_assert_eq(view.wait_ms, 0);
		}
	}
	cr_assert_eq(n, 2);
	cr_assert_eq(quota_reset(quota, CONF_EACH_CLIENT, SPAN_LIT("ann")), 0);
	cr_assert_eq(quota_reset(quota, CONF_EACH_USER, SPAN_LIT("ann")), 1);
	cr_assert_eq(take_all("ann", OUTSIDE, 3, 0), 2);
	quota_sweep(quota, 2 * DAY);
	cursor = 0;
	cr_assert_not(quota_next(quota, &cursor, 2 * DAY, &view));
}

/* ---- what outlives a restart ---- */

static void
restart(struct buf *file)
{
	quota_free(&quota);
	begin();
	cr_assert_eq(quota_read(quota, buf_span(file)), OK);
	cr_assert_eq(quota_take_conf(quota, conf), OK);
}

Test(quota, outlives_a_restart)
{
	struct buf file;

	buf_init(&file, QUOTA_FILE_MAX);
	take_yaml("relay: {networks: [10.0.0.0/8]}");
	cr_assert_not(quota_has_changed(quota));
	for (int i = 0; i < 60; i++)
		(void)take("ann", OUTSIDE, 2, i * 1000);
	cr_assert(quota_has_changed(quota));
	quota_put(quota, &file);
	cr_assert_not(quota_has_changed(quota));
	restart(&file);
	cr_assert_eq(take_all("ann", OUTSIDE, 1, 60000), 40);
	cr_assert_eq(full.times, 1);
	/* who was full then is told of again: others have forgotten */
	buf_reset(&file);
	quota_put(quota, &file);
	restart(&file);
	cr_assert_eq(take("ann", OUTSIDE, 1, 60000), QUOTA_USED_UP);
	cr_assert_eq(full.times, 1);
	buf_clear(&file);
}

/* Each single octet that is wrong, each length: nothing is believed of it. */
Test(quota, a_damaged_file)
{
	struct quota_view view;
	uint64_t cursor = 0;
	struct buf file;

	buf_init(&file, QUOTA_FILE_MAX);
	take_yaml("quotas: [{each: user, messages: 5/1h}]");
	(void)take("ann", OUTSIDE, 1, 5);
	(void)take("bob", OUTSIDE, 1, 5);
	quota_put(quota, &file);
	quota_free(&quota);
	begin();
	for (size_t i = 0; i < file.n; i++) {
		file.p[i] ^= 0x40;
		cr_assert_neq(quota_read(quota, buf_span(&file)), OK, "%zu", i);
		file.p[i] ^= 0x40;
		cr_assert_neq(quota_read(quota, span_of(file.p, i)), OK, "%zu",
		    i);
	}
	cr_assert_not(quota_next(quota, &cursor, 0, &view));
	buf_clear(&file);
}

static enum err
read_head(uint32_t version, uint32_t count)
{
	struct buf file;
	enum err e;

	buf_init(&file, 1024);
	buf_add(&file, "MTADQTA\n", 8);
	wire_put_u32(&file, version);
	wire_put_u32(&file, count);
	wire_put_u32(&file, crc32c(0, file.p, file.n));
	e = quota_read(quota, buf_span(&file));
	buf_clear(&file);
	return e;
}

Test(quota, a_file_of_another_version)
{
	cr_assert_eq(read_head(1, 0), OK);
	cr_assert_eq(read_head(2, 0), ERR_VERSION);
	cr_assert_eq(read_head(1, 1), ERR_CORRUPT);
	cr_assert_eq(read_head(1, UINT32_MAX), ERR_CORRUPT);
}

/* ---- many ---- */

/* Strangers cannot push out who has done much, nor fill the memory. */
Test(quota, very_many, .timeout = 60)
{
	char client[IPADDR_TEXT_SIZE];
	struct quota_view view;
	uint64_t cursor = 0;
	size_t n = 0;

	take_yaml("quotas: [{each: client, messages: 50/1d},"
	    " {each: user, messages: 50/1d}]");
	cr_assert_eq(take_all("ann", "192.0.2.1", 1, 0), 50);
	for (unsigned i = 0; i < 3 * QUOTA_KNOWN_MAX; i++) {
		(void)snprintf(client, sizeof(client), "10.%u.%u.%u",
		    i >> 16, i >> 8 & 255, i & 255);
		cr_assert_eq(take("", client, 1, 1), QUOTA_FITS);
	}
	while (quota_next(quota, &cursor, 1, &view))
		n++;
	cr_assert_leq(n, QUOTA_KNOWN_MAX + 1);
	cr_assert_eq(take("ann", "192.0.2.2", 1, 1), QUOTA_USED_UP);
	cr_assert_eq(take("", "192.0.2.1", 1, 1), QUOTA_USED_UP);
}
