/*
 * Whoever bears losses reads for himself, in ever smaller pieces: what the
 * kernel's own copying makes of a bad sector differs by file system.
 */
#include "common/os/copy.h"

#include "common/os/file.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { PIECE = 64 * 1024 };

/* Of one call: far less than its limit, for it can't be interrupted. */
#define KERNEL_PIECE ((size_t)16 << 20)

struct copy {
	int from, to;
	uint64_t bytes;
	copy_lost *lost;
	void *ctx;
	uint64_t bad_at, bad;		/* not told yet */
};

/* ---- by the kernel ---- */

static bool
share(const struct copy *c)
{
	struct file_clone_range range = { .src_fd = c->from,
	    .src_length = c->bytes };

	return c->bytes > 0 && ioctl(c->to, FICLONERANGE, &range) == 0;
}

/* How far it came; an error shows when the rest is read. */
static uint64_t
copy_in_kernel(const struct copy *c)
{
	loff_t from = 0, to = 0;

	while ((uint64_t)from < c->bytes) {
		uint64_t left = c->bytes - (uint64_t)from;
		ssize_t n = copy_file_range(c->from, &from, c->to, &to,
		    left < KERNEL_PIECE ? (size_t)left : KERNEL_PIECE, 0);

		if (n <= 0 && !(n < 0 && errno == EINTR))
			break;
	}
	return (uint64_t)from;
}

/* ---- by reading ---- */

static void
tell(struct copy *c)
{
	if (c->bad > 0)
		c->lost(c->ctx, c->bad_at, c->bad);
	c->bad = 0;
}

static void
note_bad(struct copy *c, uint64_t at, size_t n)
{
	if (c->bad == 0 || c->bad_at + c->bad != at) {
		tell(c);
		c->bad_at = at;
	}
	c->bad += n;
}

static bool
is_bearable(const struct copy *c, enum err e)
{
	return c->lost != NULL &&
	    (e == ERR_RANGE || (e == ERR_IO && errno == EIO));
}

/* N bytes from AT on; zeros for each sector that can't be read. */
static enum err
read_sectors(struct copy *c, uint8_t *p, size_t n, uint64_t at)
{
	for (size_t done = 0; done < n; done += COPY_SECTOR) {
		size_t part = n - done < COPY_SECTOR ? n - done : COPY_SECTOR;
		enum err e = file_pread_all(c->from, p + done, part,
		    (off_t)(at + done));

		if (e != OK && !is_bearable(c, e))
			return e;
		if (e == OK)
			continue;
		memset(p + done, 0, part);
		note_bad(c, at + done, part);
	}
	return OK;
}

static enum err
copy_by_hand(struct copy *c, uint64_t at)
{
	uint8_t piece[PIECE];
	enum err e = OK;

	for (; at < c->bytes && e == OK; at += PIECE) {
		size_t n = c->bytes - at < PIECE ? (size_t)(c->bytes - at) :
		    PIECE;

		e = file_pread_all(c->from, piece, n, (off_t)at);
		if (e != OK && is_bearable(c, e))
			e = read_sectors(c, piece, n, at);
		if (e == OK)
			e = file_pwrite_all(c->to, piece, n, (off_t)at);
	}
	if (c->lost != NULL)
		tell(c);
	return e;
}

enum err
copy_file(int from, int to, uint64_t bytes, copy_lost *lost, void *ctx)
{
	struct copy c = { .from = from, .to = to, .bytes = bytes,
	    .lost = lost, .ctx = ctx };

	if (lost != NULL)
		return copy_by_hand(&c, 0);
	return share(&c) ? OK : copy_by_hand(&c, copy_in_kernel(&c));
}
