/* A message taken apart: nothing is lost, nothing goes beyond its limits. */
#include "tests/unit/mime/mime_whole.h"

#include <criterion/criterion.h>

#include "common/base/check.h"

#define TEXT_MAX ((size_t)4 << 20)

struct trace {
	struct mime_walk walk;
	struct buf out;
	unsigned begins, headers, ends;
};

static void
on_begin(void *ctx)
{
	((struct trace *)ctx)->begins++;
}

static void
on_header(void *ctx, const struct mime_entity *e)
{
	(void)e;
	((struct trace *)ctx)->headers++;
}

static void
on_bytes(void *ctx, enum mime_bytes what, struct span s)
{
	(void)what;
	buf_add_span(&((struct trace *)ctx)->out, s);
}

static void
on_end(void *ctx, bool is_last)
{
	(void)is_last;
	((struct trace *)ctx)->ends++;
}

static const struct mime_ops ops = {
	.begin = on_begin, .header = on_header, .bytes = on_bytes,
	.end = on_end,
};

static struct trace *
walk(struct span s, size_t step)
{
	struct trace *t = calloc(1, sizeof(*t));

	cr_assert_not_null(t);
	buf_init(&t->out, s.n + 64);
	mime_walk_init(&t->walk, &ops, t);
	for (size_t at = 0; at < s.n; at += step)
		mime_walk_feed(&t->walk, span_sub(s, at, step));
	mime_walk_end(&t->walk);
	return t;
}

static void
drop(struct trace *t)
{
	buf_clear(&t->out);
	free(t);
}

/* COUNT parts, or multiparts in each other. */
static void
make(struct buf *out, unsigned count, bool is_deep)
{
	buf_init(out, TEXT_MAX);
	buf_add_str(out, "Content-Type: multipart/mixed; boundary=b0\r\n\r\n");
	for (unsigned i = 0; i < count; i++)
		if (is_deep)
			buf_addf(out, "--b%u\r\nContent-Type: multipart/mixed;"
			    " boundary=b%u\r\n\r\n", i, i + 1);
		else
			buf_add_str(out, "--b0\r\n\r\n-\r\n");
}

static void
check_limit(unsigned count, bool is_deep, const char *why)
{
	struct buf text;

	for (unsigned more = 0; more < 2; more++) {
		struct trace *t;

		make(&text, count + more, is_deep);
		t = walk(buf_span(&text), 100000);
		if (more == 0)
			cr_expect_null(mime_walk_fault(&t->walk), "%s",
			    mime_walk_fault(&t->walk));
		else
			cr_expect_not_null(strstr(mime_walk_fault(&t->walk),
			    why));
		drop(t);
		buf_clear(&text);
	}
}

Test(mime_walk, limits)
{
	check_limit(MIME_PARTS_MAX - 1, false, "too many");
	check_limit(MIME_DEPTH_MAX - 1, true, "too deep");
}

/* Messages within messages are as deep. */
Test(mime_walk, messages)
{
	struct buf text;

	for (unsigned n = MIME_DEPTH_MAX; n < MIME_DEPTH_MAX + 2; n++) {
		struct trace *t;

		buf_init(&text, TEXT_MAX);
		for (unsigned i = 1; i < n; i++)
			buf_add_str(&text,
			    "Content-Type: message/rfc822\r\n\r\n");
		buf_add_str(&text, "A: b\r\n\r\nx\r\n");
		t = walk(buf_span(&text), 3);
		cr_expect_eq(mime_walk_fault(&t->walk) == NULL,
		    n == MIME_DEPTH_MAX);
		drop(t);
		buf_clear(&text);
	}
}

static const char *const odd[] = {
	"A: b\r\n\r\n--b\r\n-\r\n--\r\n",
	"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	    "-\r\n--\r\n--c\r\n--b \t\r\n-X: y\r\n\r\n\r\n-\r\r\n--\r\n"
	    "\n--b\r\n\r--b\r\n--b-\r\n--b---\r\n--bb--\r\n--b-- \r\nx\r\r\n",
	"Content-Type: multipart/mixed; boundary=\"a:b\"\r\n\r\n"
	    "--a:b\r\n--a:b\r\nA: b\r\n--a:b--",
	"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
	    "x\r\n--b--\r\n--b--\r\n",
};

/* However it is cut, all octets come out, in order. */
Test(mime_walk, octets)
{
	for (size_t i = 0; i < COUNT_OF(odd); i++) {
		struct span s = span_str(odd[i]);

		for (size_t step = 1; step <= s.n; step++)
			for (size_t n = s.n > 60 ? 60 : 1; n <= s.n; n++) {
				struct trace *t = walk(span_sub(s, 0, n),
				    step);

				if (mime_walk_fault(&t->walk) == NULL)
					cr_expect(span_equal(
					    span_sub(s, 0, n),
					    buf_span(&t->out)), "%zu %zu %zu",
					    i, step, n);
				if (mime_walk_fault(&t->walk) == NULL)
					cr_expect_eq(t->begins, t->headers);
				drop(t);
			}
	}
}

/* Lines that are too long for a boundary, fields that are too long. */
Test(mime_walk, long_lines)
{
	struct buf text;
	struct trace *t;

	make(&text, 1, false);
	buf_add_str(&text, "--b0");
	for (unsigned i = 0; i < 300; i++)
		buf_add_byte(&text, ' ');
	buf_add_str(&text, "\r\nx\r\n--b0--\r\n");
	t = walk(buf_span(&text), 50);
	cr_expect_null(mime_walk_fault(&t->walk));
	cr_expect(span_equal(buf_span(&text), buf_span(&t->out)));
	cr_expect_eq(t->ends, 1);
	drop(t);
	for (unsigned i = 0; i < 3; i++) {
		static const char *const names[] = { "", "Content-Type:",
		    "Content-Transfer-Encoding:" };

		buf_reset(&text);
		buf_add_str(&text, names[i]);
		while (text.n < MIME_TYPE_MAX + 100)
			buf_add_byte(&text, 'x');
		buf_add_str(&text, "\r\n\r\n");
		t = walk(buf_span(&text), 64);
		cr_expect_not_null(mime_walk_fault(&t->walk));
		drop(t);
	}
	buf_clear(&text);
}
