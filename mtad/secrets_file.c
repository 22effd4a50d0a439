/*
 * A file is judged by the descriptor that it is read from, since its name may
 * mean another one a moment later.
 */
#include "mtad/secrets_file.h"

#include "common/os/fd.h"
#include "common/os/file.h"
#include "common/os/file_check.h"

#include <string.h>
#include <sys/stat.h>

#define LINE_FILE_MAX	((size_t)64 * 1024)
#define READ_SLACK	((size_t)64 * 1024)	/* asked for to see the end */

void
secrets_file_wipe(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->size);
	buf_clear(b);
}

/* Room for all of it at once: what grows leaves its beginning behind in memory
 * that nobody overwrites. */
static enum err
make_room(int fd, size_t max, struct buf *out)
{
	struct stat st;
	size_t n;

	if (fstat(fd, &st) != 0)
		return ERR_IO;
	if ((uint64_t)st.st_size > max)
		return ERR_RANGE;
	n = (size_t)st.st_size + READ_SLACK;
	return buf_reserve(out, n < max ? n : max) != NULL ? OK : ERR_NOMEM;
}

enum err
secrets_file_read(const char *path, size_t max, bool is_secret, struct buf *out,
    struct why *why)
{
	enum err e;
	int fd;

	e = file_open_read(AT_FDCWD, path, &fd, why);
	if (e != OK)
		return e;
	if (is_secret)
		e = file_check_secret(fd, path, why);
	if (e == OK) {
		e = is_secret ? make_room(fd, max, out) : OK;
		if (e == OK)
			e = file_read_fd(fd, max, out);
		if (e != OK)
			(void)why_set(why, e, "%s: %s", path, err_text(e));
	}
	fd_close(&fd);
	return e;
}

enum err
secrets_file_line(const char *path, size_t max, struct buf *file,
    struct span *out, struct why *why)
{
	struct span line;
	enum err e;

	buf_init(file, LINE_FILE_MAX);
	e = secrets_file_read(path, LINE_FILE_MAX, true, file, why);
	if (e != OK)
		return e;
	line = buf_span(file);
	line = span_sub(line, 0, span_find(line, '\n'));
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0 || line.n > max)
		return why_set(why, ERR_RANGE, "%s: its first line is to be the "
		    "secret, of 1 to %zu bytes", path, max);
	*out = line;
	return OK;
}
