/* survey_manifest: the list of a copy's files */
#include "queued/survey/survey_manifest.h"

#include "common/os/file.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct survey_manifest
make(void)
{
	struct survey_manifest m = { .is_salvage = true, .at = 1795761173436,
	    .end = { .segment = 7, .offset = 40960, .sequence = 99 },
	    .damages = 3 };

	for (size_t i = 0; i < sizeof(m.uuid); i++)
		m.uuid[i] = (uint8_t)(17 * i);
	cr_assert_eq(survey_manifest_add(&m, SPAN_LIT("spool"), 46), OK);
	cr_assert_eq(survey_manifest_add(&m, SPAN_LIT("clock"), 28), OK);
	cr_assert_eq(survey_manifest_add(&m,
	    SPAN_LIT("log/log.0000000000000007"), 40960), OK);
	cr_assert_eq(survey_manifest_add(&m,
	    SPAN_LIT("body/body.0000010000000006"), UINT64_MAX), OK);
	cr_assert_eq(survey_manifest_add_lost(&m, 5, 9), OK);
	return m;
}

static void
check(const struct survey_manifest *got)
{
	struct survey_manifest m = make();

	cr_assert_arr_eq(got->uuid, m.uuid, sizeof(m.uuid));
	cr_assert(got->is_salvage);
	cr_assert_eq(got->at, m.at);
	cr_assert_eq(got->end.segment, 7);
	cr_assert_eq(got->end.offset, 40960);
	cr_assert_eq(got->end.sequence, 99);
	cr_assert_eq(got->damages, 3);
	cr_assert_eq(got->n, 4);
	for (size_t i = 0; i < m.n; i++) {
		cr_assert_str_eq(got->files[i].name, m.files[i].name);
		cr_assert_eq(got->files[i].bytes, m.files[i].bytes);
	}
	cr_assert_eq(got->lost_n, 1);
	cr_assert_eq(got->lost[0].after, 5);
	cr_assert_eq(got->lost[0].before, 9);
	survey_manifest_clear(&m);
}

static void
enter(void)
{
	char name[] = "/tmp/mtad-manifest.XXXXXX";

	cr_assert_not_null(mkdtemp(name));
	cr_assert_eq(chdir(name), 0);
}

static void
leave(void)
{
	char name[64];

	(void)unlink(SURVEY_MANIFEST);
	(void)unlink(SURVEY_MANIFEST_NEW);
	cr_assert_not_null(getcwd(name, sizeof(name)));
	cr_assert_eq(rmdir(name), 0);
}

TestSuite(manifest, .init = enter, .fini = leave);

Test(manifest, written_and_read)
{
	struct survey_manifest m = make(), got;
	struct why why = { "" };
	int dir = open(".", O_RDONLY | O_DIRECTORY);

	cr_assert_eq(survey_manifest_read(dir, &got, &why), ERR_NOT_FOUND);
	cr_assert_eq(mknod(SURVEY_MANIFEST_NEW, S_IFREG | 0600, 0), 0);
	cr_assert_eq(survey_manifest_finish(dir, &m), OK);
	cr_assert_neq(access(SURVEY_MANIFEST_NEW, F_OK), 0);
	cr_assert_eq(survey_manifest_read(dir, &got, &why), OK, "%s",
	    why.text);
	cr_assert(got.is_complete);
	check(&got);
	survey_manifest_clear(&got);
	survey_manifest_clear(&m);
	close(dir);
}

/* The lines that are there count, one that was being written does not; and it
 * is not taken for complete. */
Test(manifest, cut_off)
{
	struct survey_manifest m = make(), got;
	struct why why = { "" };
	struct buf text;
	int dir = open(".", O_RDONLY | O_DIRECTORY);

	buf_init(&text, 4096);
	survey_manifest_put(&text, &m);
	for (size_t n = 14; n < text.n; n++) {
		cr_assert_eq(survey_manifest_parse(span_of(text.p, n), true,
		    &got), ERR_CORRUPT, "%zu bytes", n);
		survey_manifest_clear(&got);
		cr_assert_eq(survey_manifest_parse(span_of(text.p, n), false,
		    &got), OK, "%zu bytes", n);
		cr_assert_leq(got.n, 4);
		survey_manifest_clear(&got);
	}
	cr_assert_eq(file_replace(dir, SURVEY_MANIFEST_NEW, 0600,
	    buf_span(&text)), OK);
	cr_assert_eq(survey_manifest_read(dir, &got, &why), OK);
	cr_assert_not(got.is_complete);
	check(&got);
	survey_manifest_clear(&got);
	survey_manifest_clear(&m);
	buf_clear(&text);
	close(dir);
}

Test(manifest, every_bit_flipped)
{
	struct survey_manifest m = make(), got;
	struct buf text;
	int dir = open(".", O_RDONLY | O_DIRECTORY);

	buf_init(&text, 4096);
	cr_assert_eq(survey_manifest_finish(dir, &m), OK);
	cr_assert_eq(file_read(dir, SURVEY_MANIFEST, 4096, &text, NULL), OK);
	for (size_t bit = 0; bit < text.n * 8; bit++) {
		text.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		cr_assert_neq(survey_manifest_parse(buf_span(&text), true,
		    &got), OK, "bit %zu", bit);
		survey_manifest_clear(&got);
		/* of an incomplete one nothing says that it is wrong */
		(void)survey_manifest_parse(buf_span(&text), false, &got);
		survey_manifest_clear(&got);
		text.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	survey_manifest_clear(&m);
	buf_clear(&text);
	close(dir);
}

Test(manifest, what_it_refuses)
{
	static const char *const lines[] = {
		"file ../etc/passwd 5\n", "file lock 5\n", "file index 5\n",
		"file log/../spool 5\n", "file log/log.1 5\n",
		"file log/log.00000000000000001 5\n", "file spool\n",
		"file spool 5 5\n", "file spool -5\n", "file spool x\n",
		"file spool 18446744073709551616\n", "end 1 2\n",
		"end 1 2 3 4\n", "spool 00\n", "kind other\n", "at\n",
		"lost 1\n", "unknown 1\n", "\n",
	};
	struct survey_manifest got;
	struct buf text;

	buf_init(&text, 4096);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		buf_reset(&text);
		buf_addf(&text, "mtad backup 1\n%s", lines[i]);
		cr_assert_eq(survey_manifest_parse(buf_span(&text), false,
		    &got), ERR_CORRUPT, "%s", lines[i]);
		survey_manifest_clear(&got);
	}
	cr_assert_eq(survey_manifest_parse(SPAN_LIT("mtad backup 2\n"), false,
	    &got), ERR_VERSION);
	cr_assert_eq(survey_manifest_parse(SPAN_LIT("mtad spool 1\n"), false,
	    &got), ERR_CORRUPT);
	buf_clear(&text);
}
