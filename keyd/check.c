#include "keyd/check.h"

#include "common/ipc/messages.h"
#include "common/os/file.h"
#include "common/os/rlimit.h"
#include "keyd/pairs.h"

#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define INPUT_MAX	((size_t)4 * 1024 * 1024)
#define TEXT_MAX	((size_t)16 * 1024)

static enum err
judge(struct span input, struct buf *text)
{
	struct pairs pairs = { .n = 0 };
	struct msg m;
	enum err e = msg_decode(MSG_tls_pairs, input, &m);

	if (e == OK)
		e = pairs_load(&m.tls_pairs.rows, (int64_t)time(NULL), &pairs,
		    text);
	pairs_clear(&pairs);
	return e;
}

int
check_main(void)
{
	struct buf input, text;
	enum err e;

	(void)rlimit_no_core();
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	buf_init(&input, INPUT_MAX);
	buf_init(&text, TEXT_MAX);
	e = file_read_fd(STDIN_FILENO, INPUT_MAX, &input);
	if (e == OK)
		e = judge(buf_span(&input), &text);
	if (text.n > 0 && file_write_all(STDOUT_FILENO, text.p, text.n) != OK)
		e = ERR_IO;
	if (input.p != NULL)
		explicit_bzero(input.p, input.size);
	buf_clear(&input);
	buf_clear(&text);
	return e == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
