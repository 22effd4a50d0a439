/* backup: the list of files that queued tells */
#include "mtactl/backup.h"

#include <criterion/criterion.h>

Test(backup, lines)
{
	struct span rest = SPAN_LIT("mtad backup 1\nend 1 2 3\n"
	    "file spool 46\nfile log/log.00000000000000aF 8388608\n"
	    "file body/body.0000010000000006 0\nfile clo");
	struct backup_line line;

	cr_assert(backup_next(&rest, &line));
	cr_assert_not(line.is_file);
	cr_assert(span_equal(line.text, SPAN_LIT("mtad backup 1\n")));
	cr_assert(backup_next(&rest, &line));
	cr_assert_not(line.is_file);
	cr_assert_eq(line.bytes, 0);
	cr_assert(backup_next(&rest, &line));
	cr_assert(line.is_file);
	cr_assert_str_eq(line.name, "spool");
	cr_assert_eq(line.bytes, 46);
	cr_assert(span_equal(line.text, SPAN_LIT("file spool 46\n")));
	cr_assert(backup_next(&rest, &line));
	cr_assert_str_eq(line.name, "log/log.00000000000000aF");
	cr_assert_eq(line.bytes, 8388608);
	cr_assert(backup_next(&rest, &line));
	cr_assert_str_eq(line.name, "body/body.0000010000000006");
	cr_assert_not(backup_next(&rest, &line));
	cr_assert_eq(rest.n, 8, "a line without an end is none");
}

/* A queued that was taken over must not make root write elsewhere. */
Test(backup, names_that_no_spool_has)
{
	static const char *const lines[] = {
		"file /etc/shadow 1\n", "file ../../etc/shadow 1\n",
		"file log/../../x 1\n", "file log/log.000000000000000/ 1\n",
		"file log/log.00000000000000001 1\n", "file lock 1\n",
		"file backup 1\n", "file backup.incomplete 1\n",
		"file  1\n", "file spool\n", "file spool x\n",
		"file spool 1 1\n", "file spool 99999999999999999999\n",
		"file body/body.00000000000000g0 1\n",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct span rest = span_str(lines[i]);
		struct backup_line line;

		cr_assert_not(backup_next(&rest, &line), "%s", lines[i]);
		cr_assert_eq(rest.n, strlen(lines[i]));
	}
}
