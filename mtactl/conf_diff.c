/*
 * Values are compared as what they mean and shown as conf_dump() writes them.
 * Of long lists only the lines that differ are shown, between those that are
 * the same at their beginning and end.
 */
#include "mtactl/conf_diff.h"

#include "common/base/check.h"
#include "common/confload/conf_dump.h"

enum { LINES_SHOWN = 60 };		/* of one side of one key, for people */

#define TEXT_MAX ((size_t)8 * 1024 * 1024)

/* By enum conf_reader. */
static const struct reader {
	unsigned bit;
	const char *name;
} readers[] = {
	{ CONF_PARENT, "mtad" }, { CONF_SMTPD, "smtpd" },
	{ CONF_QUEUED, "queued" }, { CONF_DELIVERD, "deliverd" },
	{ CONF_DNSD, "dnsd" }, { CONF_KEYD, "keyd" },
};

/* ---- for people ---- */

static struct span
first_line(struct span text)
{
	return span_sub(text, 0, span_find(text, '\n'));
}

/* The last line, which ends with a newline. */
static struct span
last_line(struct span text)
{
	size_t at = text.n > 0 ? text.n - 1 : 0;

	while (at > 0 && text.p[at - 1] != '\n')
		at--;
	return span_from(text, at);
}

/* Takes off both what they have in common at their ends.  The first line of a
 * list has its key and stays. */
static void
cut_common(struct span *a, struct span *b)
{
	while (a->n > 0 && b->n > 0 &&
	    span_equal(first_line(*a), first_line(*b))) {
		size_t n = first_line(*a).n + 1;

		*a = span_from(*a, n);
		*b = span_from(*b, n);
	}
	while (a->n > 0 && b->n > 0 &&
	    span_equal(last_line(*a), last_line(*b))) {
		size_t n = last_line(*a).n;

		*a = span_sub(*a, 0, a->n - n);
		*b = span_sub(*b, 0, b->n - n);
	}
}

static void
put_lines(struct output *o, enum output_colour colour, char sign,
    struct span text)
{
	for (unsigned i = 0; text.n > 0; i++) {
		struct span line = first_line(text);
		char head[3] = { sign, ' ', '\0' };

		if (i == LINES_SHOWN) {
			output_line(o, "%c …", sign);
			return;
		}
		output_coloured(o, colour, head, 0);
		output_text(o, line);
		buf_add_byte(&o->b, '\n');
		text = span_from(text, line.n + 1);
	}
}

static void
put_change(struct output *o, const struct conf_change *c, struct span a,
    struct span b)
{
	output_coloured(o, OUTPUT_BOLD, c->key, 0);
	buf_add_str(&o->b, c->needs_restart ?
	    " (takes effect at the next start)\n" : "\n");
	cut_common(&a, &b);
	put_lines(o, OUTPUT_RED, '-', a);
	put_lines(o, OUTPUT_GREEN, '+', b);
}

/* ---- for programs ---- */

static void
json_change(struct json *j, const struct conf_change *c, struct span a,
    struct span b)
{
	json_object(j);
	json_key(j, "key");
	json_str(j, c->key);
	json_key(j, "before");
	json_string(j, a);
	json_key(j, "after");
	json_string(j, b);
	json_key(j, "needs_restart");
	json_bool(j, c->needs_restart);
	json_key(j, "processes");
	json_array(j);
	for (size_t i = 0; i < COUNT_OF(readers); i++)
		if ((c->readers & readers[i].bit) != 0)
			json_str(j, readers[i].name);
	json_array_end(j);
	json_object_end(j);
}

static void
json_begin(struct json *j, struct buf *b, const struct conf *before,
    const struct conf *after)
{
	json_init(j, b);
	json_object(j);
	json_key(j, "v");
	json_u64(j, 1);
	json_key(j, "before");
	json_str(j, before->file);
	json_key(j, "after");
	json_str(j, after->file);
	json_key(j, "changes");
	json_array(j);
}

/* ---- both ---- */

size_t
conf_diff(struct output *o, const struct conf *before,
    const struct conf *after)
{
	struct conf_change changes[CONF_CHANGES_MAX];
	size_t n = conf_compare(before, after, CONF_ALL, changes);
	struct buf a, b;
	struct json j;

	buf_init(&a, TEXT_MAX);
	buf_init(&b, TEXT_MAX);
	if (o->is_json)
		json_begin(&j, &o->b, before, after);
	for (size_t i = 0; i < n; i++) {
		buf_reset(&a);
		buf_reset(&b);
		conf_dump_key(before, changes[i].key, &a);
		conf_dump_key(after, changes[i].key, &b);
		/* a value that was cut must not pass for the whole */
		o->is_failed |= buf_failed(&a) || buf_failed(&b);
		if (o->is_json)
			json_change(&j, &changes[i], buf_span(&a),
			    buf_span(&b));
		else
			put_change(o, &changes[i], buf_span(&a),
			    buf_span(&b));
	}
	if (o->is_json) {
		json_array_end(&j);
		json_object_end(&j);
		buf_add_byte(&o->b, '\n');
	} else if (n == 0) {
		output_line(o, "no difference");
	}
	buf_clear(&a);
	buf_clear(&b);
	return n;
}
