/*
 * A client's octets: lines, verbs, paths and parameters.  Fed at once and in
 * pieces of a size that the first octet gives, they mean the same.
 */
#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/smtp/smtp_command.h"
#include "common/smtp/smtp_lines.h"
#include "common/smtp/smtp_params.h"
#include "common/smtp/smtp_path.h"

#define LINE_MAX_OCTETS 128

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
read_params(struct span text)
{
	struct smtp_params params;
	struct smtp_param p;
	enum smtp_body body;
	uint64_t size;

	smtp_params_init(&params, text);
	while (smtp_params_next(&params, &p) == OK) {
		(void)smtp_params_size(&p, &size);
		(void)smtp_params_body(&p, &body);
	}
}

static void
read_command(struct span line)
{
	struct smtp_command c;
	struct smtp_path path;

	smtp_command_parse(line, &c);
	for (unsigned flags = 0; flags < 16; flags++) {
		if (smtp_path_from(c.argument, flags, &path) == SMTP_PATH_OK)
			read_params(path.params);
		if (smtp_path_to(c.argument, flags, &path) == SMTP_PATH_OK)
			MUST(!path.is_null);
	}
	(void)smtp_path_is_hello_name(c.argument);
}

/* Appends what happened, so that two ways can be compared. */
static void
run(struct span in, size_t step, struct buf *out)
{
	struct smtp_lines l;
	size_t used = 0;

	smtp_lines_init(&l, LINE_MAX_OCTETS);
	for (size_t end = step; used < in.n && end < in.n + step; end += step) {
		enum smtp_lines_event event;

		do {
			struct span seen = span_sub(in, 0, end);
			struct span line = SPAN_NONE;

			event = smtp_lines_next(&l, span_from(seen, used),
			    &used, &line);
			if (event == SMTP_LINES_LINE)
				read_command(line);
			if (event != SMTP_LINES_NONE) {
				buf_add_byte(out, (uint8_t)event);
				buf_add_span(out, line);
			}
		} while (event != SMTP_LINES_NONE);
		MUST(used <= in.n);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = span_from(span_of(p, n), 1);
	struct buf whole, pieces;

	if (in.n == 0)
		return 0;
	buf_init(&whole, 4 * n + 64);
	buf_init(&pieces, 4 * n + 64);
	run(in, in.n, &whole);
	run(in, p[0] % 16 + 1, &pieces);
	MUST(span_equal(buf_span(&whole), buf_span(&pieces)));
	buf_clear(&whole);
	buf_clear(&pieces);
	return 0;
}
