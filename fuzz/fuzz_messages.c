/*
 * Frames from a peer process: the first byte is the sender, the second the
 * receiver, then a stream of frames.  What decodes is walked and encoded
 * again, and must give the same bytes.
 */
#include "common/base/check.h"
#include "common/ipc/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Touches every byte, so that a sanitizer sees a wrong one. */
static unsigned
touch(struct span s)
{
	unsigned sum = 0;

	for (size_t i = 0; i < s.n; i++)
		sum += s.p[i];
	return sum;
}

static void
walk_again(const struct frame *f)
{
	struct buf again;
	struct msg m;

	if (msg_decode(f->type, f->fields, &m) != OK)
		return;
	buf_init(&again, f->length + 1);
	MUST(frame_put(&again, &m, f->fds) == OK);
	MUST(again.n == f->length);
	MUST(span_equal(span_from(buf_span(&again), FRAME_HEADER_BYTES),
	    f->fields));
	buf_clear(&again);
	(void)touch(f->fields);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span left = span_of(bytes, n);
	struct frame f;
	struct why why;

	if (n < 2)
		return 0;
	left = span_from(left, 2);
	while (frame_get(left, bytes[0], bytes[1], &f, &why) == OK) {
		walk_again(&f);
		left = span_from(left, f.length);
	}
	return 0;
}
