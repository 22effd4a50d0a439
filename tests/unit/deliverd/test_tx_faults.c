/*
 * Every fault at every stage of the client dialogue, with and without PIPELINING:
 * what becomes of each recipient (NH-*, C5321-*, T29 to T32).  The verdicts are
 * written down in tests/replay/faults.txt; what is bounded and what no host may
 * do to us is checked in tx_host.c, in virtual time.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "tx_host.h"

#define X8(s)	s s s s s s s s

static const struct host_fault faults[] = {
	/* the connection */
	{ "reset", .then = HOST_RESETS },
	{ "reset-early", .then = HOST_RESETS_EARLY },
	{ "hang", .then = HOST_HANGS },
	{ "right-then-reset", .is_behind = true, .then = HOST_RESETS },
	{ "right-then-hang", .is_behind = true, .then = HOST_HANGS },
	{ "half-then-reset", .words = SPAN_LIT("25"), .then = HOST_RESETS },
	{ "half-then-hang", .words = SPAN_LIT("25"), .then = HOST_HANGS },
	{ "no-end-then-reset", .words = SPAN_LIT("250 ok"),
	    .then = HOST_RESETS },
	{ "no-end-then-hang", .words = SPAN_LIT("250 ok\r"),
	    .then = HOST_HANGS },
	{ "more-then-reset", .words = SPAN_LIT("250-x\r\n"),
	    .then = HOST_RESETS },
	{ "more-then-hang", .words = SPAN_LIT("250-x\r\n"),
	    .then = HOST_HANGS },
	/* slow, or too much */
	{ "octet-a-second", .then = HOST_SLOWLY },
	{ "drip-digits", .words = SPAN_LIT("2"), .then = HOST_DRIPS },
	{ "drip-words", .words = SPAN_LIT("250 x"), .then = HOST_DRIPS },
	{ "drip-lines", .words = SPAN_LIT("250-x\r\n"), .then = HOST_DRIPS },
	{ "endless-line", .words = SPAN_LIT(X8(X8("250 xxxxxxxxxxxxxxxx"))),
	    .then = HOST_POURS },
	{ "endless-digits", .words = SPAN_LIT(X8(X8("2222222222222222"))),
	    .then = HOST_POURS },
	{ "endless-lines", .words = SPAN_LIT(X8(X8("250-xxxxxxxx\r\n"))),
	    .then = HOST_POURS },
	{ "endless-empty-lines", .words = SPAN_LIT(X8(X8("\r\n"))),
	    .then = HOST_POURS },
	{ "endless-nulls", .words = SPAN_LIT("\0\0\0\0\0\0\0\0\0\0\0\0"),
	    .then = HOST_POURS },
	{ "endless-octets", .words = SPAN_LIT("\xff\xfe\xfd\x80\x81\x82"),
	    .then = HOST_POURS },
	/* temporary refusals */
	{ "421", .words = SPAN_LIT("421 4.3.2 later\r\n") },
	{ "421-lines", .words = SPAN_LIT("421-a\r\n421-b\r\n421 c\r\n") },
	{ "421-then-reset", .words = SPAN_LIT("421 bye\r\n"),
	    .then = HOST_RESETS },
	{ "421-then-hang", .words = SPAN_LIT("421 bye\r\n"),
	    .then = HOST_HANGS },
	{ "450", .words = SPAN_LIT("450 4.2.1 busy\r\n") },
	{ "451", .words = SPAN_LIT("451 4.7.1 greylisted\r\n") },
	{ "452", .words = SPAN_LIT("452 4.2.2 mailbox full\r\n") },
	{ "452-too-many", .words = SPAN_LIT("452 4.5.3 too many\r\n") },
	{ "454", .words = SPAN_LIT("454 4.7.0 no TLS now\r\n") },
	{ "478", .words = SPAN_LIT("478 what\r\n") },
	{ "450-of-class-5", .words = SPAN_LIT("450 5.1.1 nobody\r\n") },
	/* refusals for good */
	{ "500", .words = SPAN_LIT("500 5.5.2 what?\r\n") },
	{ "501", .words = SPAN_LIT("501 5.5.4 how?\r\n") },
	{ "502", .words = SPAN_LIT("502 5.5.1 not here\r\n") },
	{ "503", .words = SPAN_LIT("503 5.5.1 out of order\r\n") },
	{ "504", .words = SPAN_LIT("504 5.5.4 not that\r\n") },
	{ "521", .words = SPAN_LIT("521 no mail here\r\n") },
	{ "530", .words = SPAN_LIT("530 5.7.0 STARTTLS first\r\n") },
	{ "535", .words = SPAN_LIT("535 5.7.8 wrong\r\n") },
	{ "550", .words = SPAN_LIT("550 5.1.1 nobody\r\n") },
	{ "552", .words = SPAN_LIT("552 too many\r\n") },
	{ "552-full", .words = SPAN_LIT("552 5.2.2 mailbox full\r\n") },
	{ "553", .words = SPAN_LIT("553 5.1.3 no name\r\n") },
	{ "554", .words = SPAN_LIT("554 5.7.1 no\r\n") },
	{ "599", .words = SPAN_LIT("599\r\n") },
	{ "550-of-class-2", .words = SPAN_LIT("550 2.0.0 ok\r\n") },
	{ "550-then-reset", .words = SPAN_LIT("550 5.1.1 nobody\r\n"),
	    .then = HOST_RESETS },
	/* replies to something else */
	{ "220", .words = SPAN_LIT("220 hello\r\n") },
	{ "221", .words = SPAN_LIT("221 bye\r\n") },
	{ "235", .words = SPAN_LIT("235 welcome\r\n") },
	{ "250", .words = SPAN_LIT("250 plain.example\r\n") },
	{ "250-of-class-5", .words = SPAN_LIT("250 5.1.1 nobody\r\n") },
	{ "299", .words = SPAN_LIT("299 what\r\n") },
	{ "334", .words = SPAN_LIT("334 VXNlcm5hbWU6\r\n") },
	{ "354", .words = SPAN_LIT("354 go on\r\n") },
	{ "399", .words = SPAN_LIT("399 what\r\n") },
	/* no replies */
	{ "000", .words = SPAN_LIT("000 x\r\n") },
	{ "100", .words = SPAN_LIT("100 x\r\n") },
	{ "199", .words = SPAN_LIT("199 x\r\n") },
	{ "600", .words = SPAN_LIT("600 x\r\n") },
	{ "999", .words = SPAN_LIT("999 x\r\n") },
	{ "one-digit", .words = SPAN_LIT("2\r\n") },
	{ "two-digits", .words = SPAN_LIT("25\r\n") },
	{ "four-digits", .words = SPAN_LIT("2500 x\r\n") },
	{ "letters", .words = SPAN_LIT("abc\r\n") },
	{ "empty-line", .words = SPAN_LIT("\r\n") },
	{ "null", .words = SPAN_LIT("\0\0\0\r\n") },
	{ "null-in-the-code", .words = SPAN_LIT("25\0 x\r\n") },
	{ "tilde", .words = SPAN_LIT("250~x\r\n") },
	{ "tab", .words = SPAN_LIT("250\tx\r\n") },
	{ "blank-first", .words = SPAN_LIT(" 250 x\r\n") },
	{ "dash-first", .words = SPAN_LIT("-250 x\r\n") },
	{ "8-bit", .words = SPAN_LIT("\xff\xfe\xfd\r\n") },
	{ "tls-record", .words = SPAN_LIT("\x16\x03\x01\x02\0\x01\0\x01") },
	{ "tls-alert", .words = SPAN_LIT("\x15\x03\x03\0\x02\x02\x28"),
	    .then = HOST_RESETS },
	{ "http", .words = SPAN_LIT("HTTP/1.1 400 Bad Request\r\n\r\n") },
	{ "ssh", .words = SPAN_LIT("SSH-2.0-OpenSSH_9.2\r\n") },
	{ "imap", .words = SPAN_LIT("* OK ready\r\n") },
	/* replies that contradict themselves */
	{ "mixed-codes", .words = SPAN_LIT("250-a\r\n550 b\r\n") },
	{ "mixed-with-354", .words = SPAN_LIT("250-a\r\n354 b\r\n") },
	{ "mixed-with-421", .words = SPAN_LIT("250-a\r\n421 b\r\n") },
	{ "code-lost", .words = SPAN_LIT("250-a\r\nb\r\n250 c\r\n") },
	/* replies too many */
	{ "right-and-250", .is_behind = true,
	    .words = SPAN_LIT("250 more\r\n") },
	{ "right-and-550", .is_behind = true,
	    .words = SPAN_LIT("550 5.1.1 more\r\n") },
	{ "right-and-354", .is_behind = true,
	    .words = SPAN_LIT("354 more\r\n") },
	{ "right-and-421", .is_behind = true,
	    .words = SPAN_LIT("421 4.3.2 enough\r\n") },
	{ "right-and-junk", .is_behind = true,
	    .words = SPAN_LIT("\0\xff junk\r\n") },
	{ "right-and-many", .is_behind = true,
	    .words = SPAN_LIT(X8("250 more\r\n")) },
	{ "550-and-250", .words = SPAN_LIT("550 5.1.1 no\r\n250 ok\r\n") },
	{ "450-and-250", .words = SPAN_LIT("450 4.2.0 no\r\n250 ok\r\n") },
	/* odd, and right */
	{ "right", .then = HOST_GOES_ON },
};

/* "NAME L|P VVV VVV ..." of tests/replay/faults.txt, in this order. */
static bool
read_row(FILE *file, char *name, char *mode,
    char cells[HOST_STAGE_COUNT][4])
{
	char line[256];

	while (fgets(line, sizeof(line), file) != NULL) {
		int at, used;

		if (line[0] == '#' || line[0] == '\n')
			continue;
		cr_assert_eq(sscanf(line, "%63s %c%n", name, mode, &at), 2);
		for (int i = 0; i < HOST_STAGE_COUNT; i++) {
			cr_assert_eq(sscanf(line + at, "%3s%n", cells[i],
			    &used), 1, "%s", line);
			at += used;
		}
		return true;
	}
	return false;
}

static const struct host_fault *
find_fault(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(faults); i++)
		if (strcmp(faults[i].name, name) == 0)
			return &faults[i];
	cr_assert(false, "no fault %s", name);
	return NULL;
}

/* True as written down; else what was found is shown as a row. */
static bool
play_row(const struct host_fault *fault, char mode,
    char cells[HOST_STAGE_COUNT][4])
{
	static struct host host;
	char row[HOST_STAGE_COUNT * 4 + 1] = "", verdict[4];
	bool is_good = true;

	for (int i = 0; i < HOST_STAGE_COUNT; i++) {
		host_run(&host, fault, (enum host_stage)i, mode == 'P',
		    verdict);
		is_good = is_good && strcmp(verdict, cells[i]) == 0;
		strcat(row, " ");
		strcat(row, verdict);
	}
	if (!is_good)
		fprintf(stderr, "is: %-19s %c%s\n", fault->name, mode, row);
	return is_good;
}

Test(tx_faults, table)
{
	const char *source = getenv("MTAD_SOURCE");
	char path[1024], name[64], mode;
	char cells[HOST_STAGE_COUNT][4];
	unsigned rows = 0, bad = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/tests/replay/faults.txt",
	    source != NULL ? source : ".");
	file = fopen(path, "r");
	cr_assert_not_null(file, "%s", path);
	while (read_row(file, name, &mode, cells)) {
		rows++;
		bad += !play_row(find_fault(name), mode, cells);
	}
	(void)fclose(file);
	cr_expect_eq(rows, 2 * COUNT_OF(faults), "%u rows", rows);
	cr_assert_eq(bad, 0, "%u of %u rows", bad, rows);
}
