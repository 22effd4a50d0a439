/* copy, copy_dir */
#include "common/os/copy.h"
#include "common/os/copy_dir.h"
#include "common/os/fd.h"
#include "common/os/file.h"
#include "tests/unit/os/os_support.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONG = 300 * 1024 + 7, LOSSES_MAX = 8 };

struct lost {
	size_t n;
	uint64_t at[LOSSES_MAX], bytes[LOSSES_MAX];
};

static void
note(void *ctx, uint64_t at, uint64_t bytes)
{
	struct lost *l = ctx;

	cr_assert_lt(l->n, LOSSES_MAX);
	l->at[l->n] = at;
	l->bytes[l->n++] = bytes;
}

static uint8_t
byte_of(size_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

static int
make(const char *name, size_t n)
{
	int fd = open(name, O_CREAT | O_RDWR | O_TRUNC, 0600);
	uint8_t *p = malloc(n + 1);

	cr_assert_geq(fd, 0);
	cr_assert_not_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = byte_of(i);
	cr_assert_eq(file_write_all(fd, p, n), OK);
	free(p);
	return fd;
}

/* N bytes, of which those from ZEROS on are zeros. */
static void
check(int fd, size_t n, size_t zeros)
{
	struct stat st;
	uint8_t *p = malloc(n + 1);

	cr_assert_not_null(p);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert_eq(st.st_size, (off_t)n);
	cr_assert_eq(file_pread_all(fd, p, n, 0), OK);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(p[i], i < zeros ? byte_of(i) : 0, "at %zu", i);
	free(p);
}

static void
enter(void)
{
	cr_assert_not_null(os_scratch_enter());
}

TestSuite(copy, .init = enter, .fini = os_scratch_leave);

Test(copy, whole_and_in_part)
{
	int from = make("from", LONG);
	const size_t lengths[] = { 0, 1, 4096, 65536, 65537, LONG - 1, LONG };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct lost l = { 0 };
		int to = make("to", 0), other = make("other", 0);

		cr_assert_eq(copy_file(from, to, lengths[i], NULL, NULL), OK);
		check(to, lengths[i], lengths[i]);
		cr_assert_eq(copy_file(from, other, lengths[i], note, &l),
		    OK);
		check(other, lengths[i], lengths[i]);
		cr_assert_eq(l.n, 0);
		close(to);
		close(other);
	}
	close(from);
}

Test(copy, a_file_that_ends_early)
{
	int from = make("from", 1000), to = make("to", 0);
	struct lost l = { 0 };

	cr_assert_eq(copy_file(from, to, 200000, NULL, NULL), ERR_RANGE);
	cr_assert_eq(ftruncate(to, 0), 0);
	cr_assert_eq(copy_file(from, to, 200000, note, &l), OK);
	/* by sectors: the last one is not whole */
	check(to, 200000, 512);
	cr_assert_eq(l.n, 1);
	cr_assert_eq(l.at[0], 512);
	cr_assert_eq(l.bytes[0], 200000 - 512);
	close(from);
	close(to);
}

/* Nothing is mapped at the address 0: reading it gives EIO. */
Test(copy, what_cannot_be_read)
{
	int from = open("/proc/self/mem", O_RDONLY), to = make("to", 0);
	struct lost l = { 0 };

	cr_assert_geq(from, 0);
	cr_assert_eq(copy_file(from, to, 5000, NULL, NULL), ERR_IO);
	cr_assert_eq(ftruncate(to, 0), 0);
	cr_assert_eq(copy_file(from, to, 5000, note, &l), OK);
	check(to, 5000, 0);
	cr_assert_eq(l.n, 1);
	cr_assert_eq(l.at[0], 0);
	cr_assert_eq(l.bytes[0], 5000);
	close(from);
	close(to);
}

/* That of the target is nobody's bad sector. */
Test(copy, what_cannot_be_written)
{
	int from = make("from", 5000), to = open("/dev/full", O_RDWR);
	struct lost l = { 0 };

	cr_assert_geq(to, 0);
	cr_assert_neq(copy_file(from, to, 5000, NULL, NULL), OK);
	cr_assert_neq(copy_file(from, to, 5000, note, &l), OK);
	cr_assert_eq(l.n, 0);
	close(from);
	close(to);
}

/* ---- directories ---- */

static const char *const folders[] = { "a", "b", NULL };

TestSuite(copy_dir, .init = enter, .fini = os_scratch_leave);

Test(copy_dir, files_and_their_list)
{
	int before = os_count_fds(), from = make("from", LONG);
	struct copy_dir d;
	struct why why = { "" };
	struct buf list;
	int fd;

	cr_assert_eq(copy_dir_open("to", folders, "list", &d, &why), OK, "%s",
	    why.text);
	cr_assert_eq(copy_dir_add(&d, "a/one", LONG, from, NULL, NULL, &why),
	    OK, "%s", why.text);
	cr_assert_eq(copy_dir_note(&d, SPAN_LIT("one\n"), &why), OK);
	cr_assert_eq(copy_dir_add(&d, "two", 10, from, NULL, NULL, &why), OK);
	cr_assert_eq(copy_dir_note(&d, SPAN_LIT("two\n"), &why), OK);
	cr_assert_eq(copy_dir_sync(&d, &why), OK, "%s", why.text);
	cr_assert_eq(d.unreadable, 0);
	copy_dir_close(&d);
	fd = open("to/a/one", O_RDONLY);
	check(fd, LONG, LONG);
	close(fd);
	fd = open("to/two", O_RDONLY);
	check(fd, 10, 10);
	close(fd);
	buf_init(&list, 100);
	cr_assert_eq(file_read(AT_FDCWD, "to/list", 100, &list, NULL), OK);
	cr_assert(span_equal(buf_span(&list), SPAN_LIT("one\ntwo\n")));
	buf_clear(&list);
	close(from);
	cr_assert_eq(os_count_fds(), before);
}

Test(copy_dir, nothing_outside_and_nothing_twice)
{
	static const char *const names[] = { "../x", "/tmp/x", "link/x",
	    "a/../../x", "list", "a", "link" };
	int from = make("from", 10);
	struct copy_dir d;
	struct why why = { "" };

	cr_assert_eq(mkdir("to", 0700), 0, "an empty one is taken");
	cr_assert_eq(copy_dir_open("to", folders, "list", &d, &why), OK);
	cr_assert_eq(symlink("..", "to/link"), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		cr_assert_neq(copy_dir_add(&d, names[i], 10, from, NULL, NULL,
		    &why), OK, "%s", names[i]);
	cr_assert_neq(access("x", F_OK), 0);
	copy_dir_close(&d);
	cr_assert_eq(copy_dir_open("to", folders, "list", &d, &why),
	    ERR_EXISTS);
	cr_assert_eq(copy_dir_open("from", folders, "list", &d, &why),
	    ERR_IO);
	close(from);
}

Test(copy_dir, losses_are_counted)
{
	int from = make("from", 1000);
	struct copy_dir d;
	struct lost l = { 0 };
	struct why why = { "" };

	cr_assert_eq(copy_dir_open("to", folders, "list", &d, &why), OK);
	cr_assert_eq(copy_dir_add(&d, "x", 2048, from, note, &l, &why), OK);
	cr_assert_eq(d.unreadable, 2048 - 512);
	cr_assert_eq(l.n, 1);
	copy_dir_close(&d);
	close(from);
}
