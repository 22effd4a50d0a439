#include "queued/shape/shape_rules.h"

#include "common/base/glob.h"
#include "common/base/mtime.h"

#include <stdio.h>
#include <string.h>

enum { REPLY_MAX = 1024 };		/* bytes of one that are looked at */

#define SLOW_MS		MTIME_HOUR
#define BACK_OFF_MS	MTIME_HOUR
#define RETRY_MS	(5 * MTIME_MINUTE)

/*
 * What large receivers say when it is too much, or too soon.  Greylisting is
 * about one message: the destination is well.  A text that is as often about one
 * message as about all ("try again later") counts with 421 only, which ends the
 * connection.
 */
static const struct shape_lesson built_in[] = {
	{ .action = CONF_SHAPE_RETRY, .time_ms = RETRY_MS,
	  .pattern = "4?? *greylist*" },
	{ .action = CONF_SHAPE_RETRY, .time_ms = RETRY_MS,
	  .pattern = "4?? *graylist*" },
	{ .action = CONF_SHAPE_RETRY, .time_ms = RETRY_MS,
	  .pattern = "4?? *grey-list*" },
	{ .action = CONF_SHAPE_SLOW, .time_ms = SLOW_MS / 2, .window = 1,
	  .pattern = "4?? *too many *connections*" },
	{ .action = CONF_SHAPE_SLOW, .time_ms = SLOW_MS / 2, .window = 1,
	  .pattern = "4?? *connection* limit*" },
	{ .action = CONF_SHAPE_SLOW, .time_ms = SLOW_MS, .rate = { 6, 60000 },
	  .pattern = "4?? *rate limit*" },
	{ .action = CONF_SHAPE_SLOW, .time_ms = SLOW_MS, .rate = { 6, 60000 },
	  .pattern = "4?? *rate-limit*" },
	{ .action = CONF_SHAPE_SLOW, .time_ms = SLOW_MS, .rate = { 6, 60000 },
	  .pattern = "4?? *unusual rate of *mail*" },
	{ .action = CONF_SHAPE_SLOW, .time_ms = SLOW_MS, .rate = { 6, 60000 },
	  .pattern = "4?? *too many messages*" },
	{ .action = CONF_SHAPE_SLOW, .time_ms = SLOW_MS, .rate = { 6, 60000 },
	  .pattern = "4?? *throttl*" },
	{ .action = CONF_SHAPE_BACK_OFF, .time_ms = BACK_OFF_MS,
	  .pattern = "4?? *temporarily deferred due to *complaints*" },
	{ .action = CONF_SHAPE_BACK_OFF, .time_ms = BACK_OFF_MS,
	  .pattern = "421 *reputation*" },
	{ .action = CONF_SHAPE_BACK_OFF, .time_ms = BACK_OFF_MS / 12,
	  .pattern = "421 *try again later*" },
};

/* ---- matching ---- */

/* Both forms of a reply. */
struct forms {
	char bytes[2][REPLY_MAX];
	struct span form[2];
};

/* As much as has room. */
static size_t
add(char *bytes, size_t n, struct span s)
{
	s = span_sub(s, 0, REPLY_MAX - n);
	if (s.n > 0)
		memcpy(bytes + n, s.p, s.n);
	return n + s.n;
}

static void
make_form(struct forms *f, int i, uint16_t code, struct span status,
    struct span text)
{
	char *bytes = f->bytes[i];
	int n = snprintf(bytes, REPLY_MAX, "%03u ", (unsigned)code);
	size_t at = n > 0 ? (size_t)n : 0;

	at = add(bytes, at, status);
	if (status.n > 0)
		at = add(bytes, at, SPAN_LIT(" "));
	f->form[i] = span_of(bytes, add(bytes, at, text));
}

static void
make_forms(struct forms *f, const struct shape_reply *reply)
{
	struct span status = span_sub(reply->status, 0, 16);
	struct span text = reply->text;

	if (status.n > 0 && span_starts_nocase(text, status)) {
		text = span_from(text, status.n);
		while (text.n > 0 && text.p[0] == ' ')
			text = span_from(text, 1);
	}
	make_form(f, 0, reply->code, status, text);
	make_form(f, 1, reply->code, SPAN_NONE, text);
}

static bool
matches(const struct forms *f, const char *pattern)
{
	return glob_match(span_str(pattern), f->form[0]) ||
	    glob_match(span_str(pattern), f->form[1]);
}

static const char *
match_any(const struct forms *f, const struct conf_texts *patterns)
{
	for (size_t i = 0; i < patterns->n; i++)
		if (matches(f, patterns->v[i]))
			return patterns->v[i];
	return NULL;
}

static bool
is_meant(const struct conf_texts *to, struct span key)
{
	for (size_t i = 0; i < to->n; i++)
		if (glob_match(span_str(to->v[i]), key))
			return true;
	return false;
}

/* ---- rules ---- */

static int64_t
time_of(const struct conf_shaping *rule)
{
	if (rule->time_ms >= 0)
		return rule->time_ms;
	switch (rule->action) {
	case CONF_SHAPE_SUSPEND:
		return 0;
	case CONF_SHAPE_RETRY:
		return RETRY_MS;
	default:
		return BACK_OFF_MS;
	}
}

bool
shape_rules_find(const struct conf_shapings *rules, struct span key,
    const struct shape_reply *reply, struct shape_lesson *out)
{
	struct shape_lesson built;
	struct forms f;

	make_forms(&f, reply);
	for (size_t i = 0; i < rules->n; i++) {
		const struct conf_shaping *rule = &rules->v[i];
		const char *pattern = match_any(&f, &rule->reply);

		if (pattern == NULL || !is_meant(&rule->to, key))
			continue;
		*out = (struct shape_lesson){
			.action = rule->action, .time_ms = time_of(rule),
			.rate = rule->rate, .window = rule->window,
			.pattern = pattern,
		};
		return true;
	}
	for (size_t i = 0; shape_rules_built_in(i, &built); i++) {
		if (!matches(&f, built.pattern))
			continue;
		*out = built;
		return true;
	}
	return false;
}

bool
shape_rules_built_in(size_t i, struct shape_lesson *out)
{
	if (i >= sizeof(built_in) / sizeof(built_in[0]))
		return false;
	*out = built_in[i];
	out->is_built_in = true;
	return true;
}

/* ---- providers ---- */

static bool
has_host(const struct conf_texts *mx, struct span group)
{
	while (group.n > 0) {
		size_t comma = span_find(group, ',');

		if (is_meant(mx, span_sub(group, 0, comma)))
			return true;
		group = span_from(group, comma + 1);
	}
	return false;
}

const struct conf_provider *
shape_provider(const struct conf_providers *providers, struct span group)
{
	for (size_t i = 0; i < providers->n; i++)
		if (has_host(&providers->v[i].mx, group))
			return &providers->v[i];
	return NULL;
}
