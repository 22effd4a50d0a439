/*
 * The pipe carries pieces: a length (4), a kind (1), then words, or two numbers
 * of a progress, or a verdict.
 */
#include "queued/survey/survey_child.h"

#include "common/base/wire.h"
#include "common/os/fd.h"
#include "common/os/file.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KIND_TEXT = 1, KIND_PROGRESS = 2, KIND_VERDICT = 3 };
enum { PIECE_HEAD = 5, TEXT_MAX = 32 * 1024, READ_BYTES = 64 * 1024 };
enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_IDLE = 3 << 13, NICEST = 19 };

/* ---- in the child ---- */

struct pipe_end {
	int fd;
};

/* A parent that does not listen any more has no use for the rest. */
static void
put_piece(int fd, uint8_t kind, struct span bytes)
{
	uint8_t store[PIECE_HEAD + TEXT_MAX];
	struct buf b = { .p = store, .size = sizeof(store),
	    .max = sizeof(store) };

	wire_put_u32(&b, (uint32_t)bytes.n);
	wire_put_u8(&b, kind);
	buf_add_span(&b, bytes);
	if (file_write_all(fd, b.p, b.n) != OK)
		_exit(SURVEY_FAILED);
}

static void
put_text(void *ctx, struct span text)
{
	const struct pipe_end *end = ctx;

	for (; text.n > 0; text = span_from(text, TEXT_MAX))
		put_piece(end->fd, KIND_TEXT, span_sub(text, 0, TEXT_MAX));
}

static void
put_progress(void *ctx, uint64_t done, uint64_t total)
{
	const struct pipe_end *end = ctx;
	uint8_t store[16];
	struct buf b = { .p = store, .size = sizeof(store),
	    .max = sizeof(store) };

	wire_put_u64(&b, done);
	wire_put_u64(&b, total);
	put_piece(end->fd, KIND_PROGRESS, buf_span(&b));
}

/* Mail goes first, on the processor and on the disk. */
static void
step_back(void)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "queued-check");
	(void)!nice(NICEST);
	(void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
}

static _Noreturn void
run(int fd, survey_run *work, const struct survey_spool *spool, bool is_json)
{
	struct pipe_end end = { .fd = fd };
	const struct survey_sink sink = { .text = put_text,
	    .progress = put_progress, .ctx = &end, .is_json = is_json };
	uint8_t verdict;

	fd_close_from(STDERR_FILENO + 1, &fd, 1);
	step_back();
	verdict = (uint8_t)work(spool, &sink);
	put_piece(fd, KIND_VERDICT, span_of(&verdict, 1));
	_exit(verdict);
}

/* ---- in the parent ---- */

enum err
survey_child_start(struct survey_child *c, survey_run *work,
    const struct survey_spool *spool, bool is_json)
{
	int ends[2];

	*c = (struct survey_child){ .fd = -1 };
	buf_init(&c->in, (size_t)1 << 20);
	if (fd_pair(ends) != OK)
		return ERR_FULL;
	if ((c->pid = fork()) == 0)
		run(ends[1], work, spool, is_json);
	fd_close(&ends[1]);
	if (c->pid < 0 || fd_set_nonblock(ends[0], true) != OK) {
		c->fd = ends[0];
		survey_child_end(c);
		return ERR_FULL;
	}
	c->fd = ends[0];
	return OK;
}

void
survey_child_end(struct survey_child *c)
{
	int status;

	fd_close(&c->fd);
	buf_clear(&c->in);
	if (c->pid <= 0)
		return;
	(void)kill(c->pid, SIGKILL);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
}

static void
take_piece(struct survey_child *c, uint8_t kind, struct span bytes,
    const struct survey_sink *sink)
{
	struct wire w;

	wire_init(&w, bytes);
	if (kind == KIND_TEXT)
		sink->text(sink->ctx, bytes);
	if (kind == KIND_PROGRESS) {
		uint64_t done = wire_u64(&w);

		sink->progress(sink->ctx, done, wire_u64(&w));
	}
	if (kind == KIND_VERDICT) {
		c->verdict = (enum survey_verdict)wire_u8(&w);
		c->has_verdict = !w.is_failed;
	}
}

static void
take_pieces(struct survey_child *c, const struct survey_sink *sink)
{
	struct wire w;

	for (;;) {
		uint32_t n;
		uint8_t kind;

		wire_init(&w, buf_span(&c->in));
		n = wire_u32(&w);
		kind = wire_u8(&w);
		if (w.is_failed || w.n < n)
			return;
		take_piece(c, kind, span_of(w.p, n), sink);
		buf_drop(&c->in, PIECE_HEAD + (size_t)n);
	}
}

enum err
survey_child_take(struct survey_child *c, const struct survey_sink *sink)
{
	for (;;) {
		uint8_t *p = buf_reserve(&c->in, READ_BYTES);
		ssize_t n;

		if (p == NULL)
			return ERR_NOMEM;
		n = read(c->fd, p, READ_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return ERR_AGAIN;
		if (n <= 0)
			return OK;
		buf_commit(&c->in, (size_t)n);
		take_pieces(c, sink);
	}
}
