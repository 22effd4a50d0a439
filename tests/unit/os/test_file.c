/* file, file_check */
#include "common/os/fd.h"
#include "common/os/file.h"
#include "common/os/file_check.h"
#include "tests/unit/os/os_support.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void
make_file(const char *path, const char *content, mode_t mode)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(file_write_all(fd, content, strlen(content)), OK);
	cr_assert_eq(fchmod(fd, mode), 0);
	close(fd);
}

static bool
has_content(const char *path, const char *content)
{
	struct buf b;
	bool is_same;

	buf_init(&b, 1000);
	is_same = file_read(AT_FDCWD, path, 1000, &b, NULL) == OK &&
	    span_equal(buf_span(&b), span_str(content));
	buf_clear(&b);
	return is_same;
}

static void
enter(void)
{
	cr_assert_not_null(os_scratch_enter());
	umask(077);
}

TestSuite(file, .init = enter, .fini = os_scratch_leave);
TestSuite(file_check, .init = enter, .fini = os_scratch_leave);

Test(file, reads_regular_files_only)
{
	struct why why = { "" };
	int fd = -1, before = os_count_fds();

	make_file("f", "text", 0600);
	cr_assert_eq(mkfifo("fifo", 0600), 0);
	cr_assert_eq(symlink("f", "link"), 0);
	cr_assert_eq(symlink("loop", "loop"), 0);
	cr_expect(has_content("f", "text"));
	cr_expect(has_content("link", "text"), "administrators use links");
	cr_expect_eq(file_open_read(AT_FDCWD, "none", &fd, &why),
	    ERR_NOT_FOUND);
	cr_expect_str_eq(why.text, "none: No such file or directory");
	cr_expect_eq(file_open_read(AT_FDCWD, ".", &fd, &why), ERR_SYNTAX);
	cr_expect_eq(file_open_read(AT_FDCWD, "fifo", &fd, &why), ERR_SYNTAX,
	    "and does not wait for it");
	cr_expect_eq(file_open_read(AT_FDCWD, "/dev/zero", &fd, NULL),
	    ERR_SYNTAX);
	cr_expect_eq(file_open_read(AT_FDCWD, "loop", &fd, NULL), ERR_DENIED);
	cr_expect_eq(fd, -1);
	cr_expect_eq(os_count_fds(), before);
}

Test(file, reading_is_bounded)
{
	static char big[200001];
	struct why why = { "" };
	struct buf b;

	memset(big, 'b', sizeof(big) - 1);
	make_file("big", big, 0600);
	make_file("empty", "", 0600);
	buf_init(&b, 1000000);
	cr_expect_eq(file_read(AT_FDCWD, "big", 199999, &b, &why), ERR_RANGE);
	cr_expect_str_eq(why.text, "big: is longer than 199999 bytes");
	buf_reset(&b);
	cr_expect_eq(file_read(AT_FDCWD, "big", 200000, &b, NULL), OK);
	cr_expect_eq(b.n, 200000);
	cr_expect_eq(file_read(AT_FDCWD, "empty", 0, &b, NULL), OK);
	cr_expect_eq(b.n, 200000, "appended");
	cr_expect_eq(file_read(AT_FDCWD, "big", 0, &b, NULL), ERR_RANGE);
	buf_clear(&b);
	buf_init(&b, 200000);
	cr_expect_eq(file_read(AT_FDCWD, "big", 200000, &b, NULL), OK,
	    "no room beyond is needed");
	buf_clear(&b);
	buf_init(&b, 100);
	cr_expect_eq(file_read(AT_FDCWD, "big", 200000, &b, NULL), ERR_NOMEM);
	buf_clear(&b);
}

Test(file, opens_beneath_and_nowhere_else)
{
	static const struct {
		const char *path;
		enum err e;
	} cases[] = {
		{ "f", OK }, { "sub/f", OK }, { "none", ERR_NOT_FOUND },
		{ "f/x", ERR_NOT_FOUND }, { "link", ERR_DENIED },
		{ "sublink/f", ERR_DENIED }, { "../f", ERR_DENIED },
		{ "sub/../../f", ERR_DENIED }, { "/etc/passwd", ERR_DENIED },
	};
	int dir, fd = -1;

	cr_assert_eq(mkdir("top", 0700), 0);
	cr_assert_eq(mkdir("top/sub", 0700), 0);
	make_file("f", "outside", 0600);
	make_file("top/f", "inside", 0600);
	make_file("top/sub/f", "inside", 0600);
	cr_assert_eq(symlink("f", "top/link"), 0);
	cr_assert_eq(symlink("sub", "top/sublink"), 0);
	dir = open("top", O_RDONLY | O_DIRECTORY);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum err e = file_open_beneath(dir, cases[i].path, O_RDONLY,
		    0, &fd);

		cr_expect_eq(e, cases[i].e, "%s: %d", cases[i].path, e);
		if (e == OK) {
			cr_expect_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
			fd_close(&fd);
		}
	}
	cr_expect_eq(file_open_beneath(dir, "new",
	    O_RDWR | O_CREAT | O_EXCL, 0640, &fd), OK);
	fd_close(&fd);
	cr_expect_eq(file_open_beneath(dir, "new",
	    O_RDWR | O_CREAT | O_EXCL, 0640, &fd), ERR_EXISTS);
	close(dir);
}

Test(file, writes_and_reads_at_places)
{
	int fd = open("f", O_CREAT | O_RDWR, 0600);
	char text[8] = "";

	cr_expect_eq(file_pwrite_all(fd, "world", 5, 6), OK);
	cr_expect_eq(file_pwrite_all(fd, "hello ", 6, 0), OK);
	cr_expect_eq(file_pread_all(fd, text, 5, 6), OK);
	cr_expect_str_eq(text, "world");
	cr_expect_eq(file_pread_all(fd, text, 6, 6), ERR_RANGE);
	cr_expect_eq(file_pread_all(-1, text, 1, 0), ERR_IO);
	cr_expect_eq(file_write_all(-1, text, 1), ERR_IO);
	cr_expect_eq(file_write_all(-1, NULL, 0), OK);
	close(fd);
	fd = open("/dev/full", O_WRONLY);
	cr_expect_eq(file_write_all(fd, "x", 1), ERR_FULL);
	close(fd);
}

Test(file, replaces_whole)
{
	struct rlimit limit = { 2, RLIM_INFINITY };
	int dir = open(".", O_RDONLY | O_DIRECTORY);
	struct stat st;

	cr_expect_eq(file_replace(dir, "f", 0640, SPAN_LIT("one")), OK);
	cr_expect(has_content("f", "one"));
	cr_assert_eq(stat("f", &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0640);
	make_file(".f.new", "left by an interrupted try", 0600);
	cr_expect_eq(file_replace(dir, "f", 0600, SPAN_LIT("two")), OK);
	cr_expect(has_content("f", "two"));

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_expect_neq(file_replace(dir, "f", 0600, SPAN_LIT("three")), OK);
	limit.rlim_cur = RLIM_INFINITY;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_expect(has_content("f", "two"), "the old one is whole");
	cr_expect_neq(access(".f.new", F_OK), 0, "nothing is left over");
	cr_expect_eq(file_replace(dir, "no/f", 0600, SPAN_NONE),
	    ERR_NOT_FOUND);
	close(dir);
}

Test(file_check, directories)
{
	struct why why = { "" };
	uid_t me = geteuid();
	struct stat st;

	cr_expect_eq(file_check_dir(AT_FDCWD, "d", me, (gid_t)-1, 0755, &why),
	    OK, "made");
	cr_assert_eq(stat("d", &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0755, "whatever the umask");
	cr_expect_eq(file_check_dir(AT_FDCWD, "d", me, (gid_t)-1, 0755, &why),
	    OK, "found");
	cr_expect_eq(file_check_dir(AT_FDCWD, "d", me, (gid_t)-1, 0750, &why),
	    ERR_DENIED);
	cr_expect_str_eq(why.text,
	    "d: has mode 0755, which is more open than 0750");
	cr_expect_eq(file_check_dir(AT_FDCWD, "d", me + 1, (gid_t)-1, 0755,
	    &why), ERR_DENIED, "another's");
	cr_expect_eq(file_check_dir(AT_FDCWD, "d", (uid_t)-1, (gid_t)-1, 0755,
	    NULL), OK);
	cr_assert_eq(chmod("d", 0700), 0);
	cr_expect_eq(file_check_dir(AT_FDCWD, "d", me, (gid_t)-1, 0755, &why),
	    OK, "closed more than need be");
	cr_assert_eq(symlink("d", "link"), 0);
	cr_expect_eq(file_check_dir(AT_FDCWD, "link", me, (gid_t)-1, 0755,
	    &why), ERR_DENIED);
	make_file("f", "", 0600);
	cr_expect_eq(file_check_dir(AT_FDCWD, "f", me, (gid_t)-1, 0755, &why),
	    ERR_DENIED);
	cr_expect_eq(file_check_dir(AT_FDCWD, "a/b", me, (gid_t)-1, 0755,
	    &why), ERR_NOT_FOUND);
}

Test(file_check, secrets)
{
	static const struct {
		mode_t mode;
		enum err e;
	} cases[] = {
		{ 0600, OK }, { 0400, OK }, { 0640, OK }, { 0644, ERR_DENIED },
		{ 0660, ERR_DENIED }, { 0601, ERR_DENIED },
		{ 0602, ERR_DENIED }, { 0604, ERR_DENIED },
	};
	int fd;

	make_file("key", "secret", 0600);
	fd = open("key", O_RDONLY);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert_eq(fchmod(fd, cases[i].mode), 0);
		cr_expect_eq(file_check_secret(fd, "key", NULL), cases[i].e,
		    "%o", cases[i].mode);
	}
	cr_assert_eq(fchmod(fd, 0600), 0);
	if (geteuid() == 0) {
		struct why why;

		cr_assert_eq(fchown(fd, 12345, 0), 0);
		cr_expect_eq(file_check_secret(fd, "key", &why), ERR_DENIED);
		cr_expect_str_eq(why.text,
		    "key: holds secrets but belongs to user 12345");
	}
	close(fd);
	fd = open(".", O_RDONLY);
	cr_expect_eq(file_check_secret(fd, ".", NULL), ERR_DENIED);
	close(fd);
}

Test(file_check, closed_directories)
{
	cr_assert_eq(mkdir("d", 0755), 0);
	cr_expect_eq(file_check_closed("d", (uid_t)-1, NULL), OK);
	cr_assert_eq(chmod("d", 0775), 0);
	cr_expect_eq(file_check_closed("d", (uid_t)-1, NULL), ERR_DENIED);
	cr_assert_eq(chmod("d", 01777), 0);
	cr_expect_eq(file_check_closed("d", (uid_t)-1, NULL), ERR_DENIED);
	cr_expect_eq(file_check_closed("none", (uid_t)-1, NULL), ERR_NOT_FOUND);
}
