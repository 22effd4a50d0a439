/* What is learned of replies: built-in rules, an administrator's, providers. */
#include "common/base/mtime.h"
#include "queued/shape/shape_rules.h"

#include <criterion/criterion.h>

static const struct conf_shapings no_rules;

static struct shape_lesson
learn(const struct conf_shapings *rules, const char *key, uint16_t code,
    const char *status, const char *text)
{
	const struct shape_reply reply = { code, span_str(status),
	    span_str(text) };
	struct shape_lesson lesson = { .action = CONF_SHAPE_NONE,
	    .pattern = "" };

	(void)shape_rules_find(rules, span_str(key), &reply, &lesson);
	return lesson;
}

/* As large receivers write them. */
static const struct sample {
	uint16_t code;
	const char *status, *text;
	enum conf_shape action;
} samples[] = {
	{ 450, "4.2.0", "4.2.0 <a@b.example>: Recipient address rejected: "
	    "Greylisted, see http://postgrey.example", CONF_SHAPE_RETRY },
	{ 451, "4.7.1", "Greylisting in action, please come back later",
	    CONF_SHAPE_RETRY },
	{ 421, "4.7.0", "4.7.0 Our system has detected an unusual rate of "
	    "unsolicited mail originating from your IP address",
	    CONF_SHAPE_SLOW },
	{ 421, "4.7.28", "4.7.28 rate limit exceeded", CONF_SHAPE_SLOW },
	{ 421, "", "Too many concurrent SMTP connections; please try again "
	    "later", CONF_SHAPE_SLOW },
	{ 452, "4.3.2", "Connection rate limit exceeded", CONF_SHAPE_SLOW },
	{ 421, "4.7.0", "[TSS04] Messages from 192.0.2.1 temporarily "
	    "deferred due to unexpected volume or user complaints",
	    CONF_SHAPE_BACK_OFF },
	{ 421, "", "Service not available, try again later",
	    CONF_SHAPE_BACK_OFF },
	{ 451, "4.3.0", "local error, please try again later",
	    CONF_SHAPE_NONE },
	{ 452, "4.2.2", "mailbox full", CONF_SHAPE_NONE },
	{ 421, "4.4.2", "timeout", CONF_SHAPE_NONE },
};

Test(rules, built_in_ones_know_what_receivers_say)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const struct sample *s = &samples[i];
		struct shape_lesson l = learn(&no_rules, "d.example", s->code,
		    s->status, s->text);

		cr_expect_eq(l.action, s->action, "%s: %d", s->text,
		    l.action);
	}
}

Test(rules, each_built_in_one_can_be_told)
{
	struct shape_lesson l;
	size_t n = 0;

	for (; shape_rules_built_in(n, &l); n++) {
		cr_expect(l.is_built_in);
		cr_expect_gt(l.time_ms, 0);
		cr_expect_eq(l.action == CONF_SHAPE_SLOW,
		    l.rate.count > 0 || l.window > 0);
		cr_expect_eq(l.pattern[0], '4');
	}
	cr_expect_gt(n, 10u);
}

static const char *star[] = { "*" }, *big[] = { "*.big.example" };
static const char *limits[] = { "450 *no*", "421 4.7.0 *RATE LIMIT*" };
static const char *bare[] = { "421 rate limit" };

Test(rules, those_of_the_file_come_first)
{
	struct conf_shaping rows[] = {
		{ .reply = { limits, 2 }, .to = { big, 1 },
		  .action = CONF_SHAPE_SUSPEND, .time_ms = -1 },
		{ .reply = { bare, 1 }, .to = { star, 1 },
		  .action = CONF_SHAPE_SLOW, .time_ms = 60000,
		  .rate = { 1, 1000 } },
		{ .reply = { star, 1 }, .to = { star, 1 },
		  .action = CONF_SHAPE_NONE, .time_ms = -1 },
	};
	const struct conf_shapings rules = { rows, 3 };
	struct shape_lesson l = learn(&rules, "mx.big.example", 421, "4.7.0",
	    "4.7.0 your rate limit is 5");

	cr_expect_eq(l.action, CONF_SHAPE_SUSPEND);
	cr_expect_eq(l.time_ms, 0);
	cr_expect_str_eq(l.pattern, limits[1]);
	/* the status may be left out of a pattern */
	l = learn(&rules, "small.example", 421, "4.7.0", "4.7.0 Rate limit");
	cr_expect_eq(l.action, CONF_SHAPE_SLOW);
	cr_expect_eq(l.time_ms, 60000);
	cr_expect(!l.is_built_in);
	l = learn(&rules, "small.example", 421, "", "rate limit");
	cr_expect_eq(l.action, CONF_SHAPE_SLOW);
	/* and the last row keeps the built-in ones away */
	l = learn(&rules, "small.example", 450, "", "greylisted");
	cr_expect_eq(l.action, CONF_SHAPE_NONE);
	cr_expect_str_eq(l.pattern, "*");
}

Test(rules, times_have_defaults)
{
	struct conf_shaping row = { .reply = { star, 1 }, .to = { star, 1 },
	    .action = CONF_SHAPE_RETRY, .time_ms = -1 };
	const struct conf_shapings rules = { &row, 1 };

	cr_expect_eq(learn(&rules, "d", 450, "", "").time_ms,
	    5 * MTIME_MINUTE);
	row.action = CONF_SHAPE_BACK_OFF;
	cr_expect_eq(learn(&rules, "d", 450, "", "").time_ms, MTIME_HOUR);
}

/* A host may send what it likes: long texts are cut, octets are octets. */
Test(rules, any_reply_is_taken)
{
	static char text[70000];

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = (char)(i % 255 + 1);
	(void)learn(&no_rules, "d", 421, "4.7.0", text);
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "greylist", 8);
	cr_expect_eq(learn(&no_rules, "d", 450, "", text).action,
	    CONF_SHAPE_RETRY);
}

Test(rules, a_provider_is_known_by_its_hosts)
{
	struct conf_provider rows[] = {
		{ .name = "one", .mx = { big, 1 } },
		{ .name = "two", .mx = { star, 1 } },
	};
	const struct conf_providers all = { rows, 2 }, first = { rows, 1 };

	cr_expect_eq(shape_provider(&all,
	    SPAN_LIT("a.example,mx2.big.example")), &rows[0]);
	cr_expect_eq(shape_provider(&all, SPAN_LIT("a.example")), &rows[1]);
	cr_expect_null(shape_provider(&first, SPAN_LIT("a.example,b")));
	cr_expect_null(shape_provider(&all, SPAN_NONE));
}
