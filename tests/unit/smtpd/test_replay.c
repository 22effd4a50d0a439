/*
 * Plays the scripts of tests/replay/smtpd, each line by line, byte by byte,
 * and, where the script allows it, with all the client says in one piece.
 *
 *	# comment
 *	client 192.0.2.1	before the dialogue; default 127.0.0.1
 *	set KEY VALUE		configuration, or spool/room/result
 *	set etrn NETWORK	relay.etrn
 *	set service submission	where AUTH is needed, inside TLS; all are known
 *	C: text			a line of the client, CRLF is added
 *	C| text			the same without CRLF; \r \n \0 \t \xNN \\
 *	C* N text		N times the text, escapes as in C|
 *	S: pattern		the next line that the server says (`*` is any)
 *	S+ 250 pattern		a reply of lines; one of them looks like this
 *	M: pattern		a message: from=<a> to=<b>,<c> body=…
 *	do drain|timeout	an event (never in one piece)
 *	closed			the server hangs up here
 *
 * At each C, do and the end all replies so far must have been expected.
 */
#include "common/base/check.h"
#include "common/base/glob.h"
#include "common/base/hex.h"
#include "common/base/units.h"
#include "smtpd/engine/rx_auth.h"
#include "tests/unit/smtpd/play.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum mode { BY_LINE, BY_BYTE, IN_ONE_PIECE };

struct script {
	const char *name;
	unsigned line;
	enum mode mode;
	struct play play;
	struct buf said;	/* of the client, IN_ONE_PIECE */
	struct buf wanted;	/* patterns of the server's lines */
	struct buf messages;	/* patterns */
	const char *client;
	struct ipaddr_prefix etrn;
	bool is_connected;
	bool has_event;
	unsigned failures;
};

static void
complain(struct script *s, const char *what, struct span a, struct span b)
{
	if (a.n == 0)
		a = SPAN_LIT("nothing");
	if (b.n == 0)
		b = SPAN_LIT("nothing");
	s->failures++;
	cr_log_error("%s:%u (mode %d): %s\n  wanted: %.*s\n  got:    %.*s",
	    s->name, s->line, (int)s->mode, what, (int)a.n,
	    (const char *)a.p, (int)b.n, (const char *)b.p);
}

/* `S+ CODE PATTERN`: takes a reply of many lines off LINES; one of them, or the
 * last one, looks like PATTERN. */
static bool
take_many(struct span want, struct span *lines)
{
	struct span code = span_sub(want, 2, 3);
	struct span pattern = want.n > 6 ? span_from(want, 6) : SPAN_LIT("*");
	bool is_found = false, is_last = false;

	while (lines->n > 0 && !is_last) {
		struct span got = span_sub(*lines, 0, span_find(*lines, '\r'));

		if (got.n < 4 || !span_equal(span_sub(got, 0, 3), code))
			return false;
		is_last = got.p[3] == ' ';
		is_found |= glob_match(pattern, span_from(got, 4));
		*lines = span_from(*lines, got.n + 2);
	}
	return is_last && is_found;
}

/* Compares line by line; both are emptied. */
static void
compare(struct script *s, struct buf *patterns, struct buf *lines)
{
	struct span a = buf_span(patterns), b = buf_span(lines);

	while (a.n > 0 || b.n > 0) {
		struct span want = span_sub(a, 0, span_find(a, '\n'));
		struct span got = span_sub(b, 0, span_find(b, '\r'));

		if (want.n >= 5 && want.p[0] == '+') {
			if (!take_many(want, &b)) {
				complain(s, "differs", want, got);
				break;
			}
			a = span_from(a, want.n + 1);
			continue;
		}
		if (a.n == 0 || b.n == 0 || !glob_match(want, got)) {
			complain(s, "differs", want, got);
			break;
		}
		a = span_from(a, want.n + 1);
		b = span_from(b, got.n + 2);
	}
	buf_reset(patterns);
	buf_reset(lines);
}

/* In the place of keyd. */
static void
know(struct script *s)
{
	while (!s->play.is_closed && rx_state(s->play.rx) == RX_ASKING) {
		rx_answered(s->play.rx, &(struct rx_answer){
		    .verdict = RX_VERDICT_GOOD }, &s->play.out);
		play_feed(&s->play, SPAN_NONE);
	}
}

static void
feed(struct script *s, struct span bytes)
{
	if (s->mode != BY_BYTE) {
		play_feed(&s->play, bytes);
		know(s);
		return;
	}
	for (size_t i = 0; i < bytes.n; i++) {
		play_feed(&s->play, span_sub(bytes, i, 1));
		know(s);
	}
}

static void
check_so_far(struct script *s)
{
	if (s->mode == IN_ONE_PIECE)
		return;
	if (play_count_replies(&s->play) < 0)
		complain(s, "malformed reply", SPAN_NONE,
		    buf_span(&s->play.out));
	compare(s, &s->wanted, &s->play.out);
}

static void
connect_once(struct script *s)
{
	if (s->is_connected)
		return;
	play_rematch(&s->play);
	play_connect(&s->play, s->client);
	s->is_connected = true;
}

static void
say(struct script *s, struct span bytes)
{
	if (s->mode == IN_ONE_PIECE) {
		buf_add_span(&s->said, bytes);
		return;
	}
	check_so_far(s);
	feed(s, bytes);
}

static void
unescape(const char *text, struct buf *out)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (*p != '\\') {
			buf_add_byte(out, (uint8_t)*p);
			continue;
		}
		switch (*++p) {
		case 'r': buf_add_byte(out, '\r'); break;
		case 'n': buf_add_byte(out, '\n'); break;
		case 't': buf_add_byte(out, '\t'); break;
		case '0': buf_add_byte(out, 0); break;
		case 'x':
			buf_add_byte(out, (uint8_t)(hex_value((uint8_t)p[1]) *
			    16 + hex_value((uint8_t)p[2])));
			p += 2;
			break;
		default: buf_add_byte(out, (uint8_t)*p); break;
		}
	}
}

static void
set(struct script *s, const char *key, const char *value)
{
	struct conf *conf = s->play.conf;
	uint64_t n = 0;

	(void)units_parse_bytes(span_str(value), &n);
	if (strcmp(key, "recipients") == 0)
		conf->limits.recipients = (uint32_t)n;
	else if (strcmp(key, "message") == 0)
		conf->limits.message_bytes = n;
	else if (strcmp(key, "errors") == 0)
		conf->limits.errors = (uint32_t)n;
	else if (strcmp(key, "own_hops") == 0)
		conf->limits.own_hops = (uint32_t)n;
	else if (strcmp(key, "hops") == 0)
		conf->limits.hops = (uint32_t)n;
	else if (strcmp(key, "etrn") == 0) {
		MUST(ipaddr_prefix_parse(span_str(value), &s->etrn) == OK);
		conf->relay.etrn.v = &s->etrn;
		conf->relay.etrn.n = 1;
	} else if (strcmp(key, "service") == 0) {
		s->play.door.needs_auth = s->play.door.is_tls = true;
		s->play.site.has_passwords = true;
	} else if (strcmp(key, "room") == 0)
		s->play.site.room_bytes = n;
	else if (strcmp(key, "bare_newline") == 0)
		conf->content.bare_newline = CONF_NEWLINE_NORMALISE;
	else if (strcmp(key, "spool") == 0)
		s->play.site.spool = strcmp(value, "full") == 0
		    ? RX_SPOOL_FULL : RX_SPOOL_GONE;
	else if (strcmp(key, "result") == 0)
		s->play.result = strcmp(value, "no_room") == 0 ? RX_NO_ROOM
		    : RX_FAILED;
	else
		complain(s, "unknown key", SPAN_NONE, span_str(key));
}

static void
do_event(struct script *s, const char *what)
{
	s->has_event = true;
	check_so_far(s);
	if (strcmp(what, "drain") == 0)
		rx_drain(s->play.rx, &s->play.out);
	else
		rx_close(s->play.rx, RX_CLOSE_TIMEOUT, &s->play.out);
	play_feed(&s->play, SPAN_NONE);
}

static void
say_escaped(struct script *s, const char *text, unsigned long times,
    bool has_crlf)
{
	struct buf b;

	buf_init(&b, 16U << 20);
	while (times-- > 0)
		unescape(text, &b);
	if (has_crlf)
		buf_add_str(&b, "\r\n");
	say(s, buf_span(&b));
	buf_clear(&b);
}

static void
add_pattern(struct buf *b, const char *text)
{
	buf_add_str(b, text);
	buf_add_byte(b, '\n');
}

static void
one_line(struct script *s, char *text)
{
	char *rest = text;

	if (strncmp(text, "client ", 7) == 0) {
		s->client = text + 7;
		return;
	}
	if (strncmp(text, "set ", 4) == 0) {
		strtok_r(text + 4, " ", &rest);
		set(s, text + 4, rest);
		return;
	}
	connect_once(s);
	if (strncmp(text, "C: ", 3) == 0)
		say_escaped(s, text + 3, 1, true);
	else if (strcmp(text, "C:") == 0)
		say_escaped(s, "", 1, true);
	else if (strncmp(text, "C| ", 3) == 0)
		say_escaped(s, text + 3, 1, false);
	else if (strncmp(text, "C* ", 3) == 0) {
		unsigned long times = strtoul(text + 3, &rest, 10);

		say_escaped(s, rest + 1, times, false);
	} else if (strncmp(text, "S: ", 3) == 0)
		add_pattern(&s->wanted, text + 3);
	else if (strncmp(text, "S+ ", 3) == 0)
		add_pattern(&s->wanted, text + 1);
	else if (strncmp(text, "M: ", 3) == 0)
		add_pattern(&s->messages, text + 3);
	else if (strncmp(text, "do ", 3) == 0)
		do_event(s, text + 3);
	else if (strcmp(text, "closed") != 0)
		complain(s, "unknown line", SPAN_NONE, span_str(text));
}

static void
finish(struct script *s, bool wants_close)
{
	if (s->mode == IN_ONE_PIECE)
		feed(s, buf_span(&s->said));
	compare(s, &s->wanted, &s->play.out);
	compare(s, &s->messages, &s->play.messages);
	if (wants_close != s->play.is_closed)
		complain(s, "closed or not", SPAN_NONE, SPAN_NONE);
}

static unsigned
play_script(const char *name, char *text, enum mode mode)
{
	struct script s = { .name = name, .mode = mode,
	    .client = "127.0.0.1" };
	bool wants_close = false;

	play_init(&s.play);
	buf_init(&s.said, 16U << 20);
	buf_init(&s.wanted, 1U << 20);
	buf_init(&s.messages, 1U << 20);
	for (char *next; text != NULL && *text != '\0'; text = next) {
		next = strchr(text, '\n');
		if (next != NULL)
			*next++ = '\0';
		s.line++;
		if (text[0] == '#' || text[0] == '\0')
			continue;
		wants_close = strcmp(text, "closed") == 0;
		one_line(&s, text);
	}
	if (!(mode == IN_ONE_PIECE && s.has_event))
		finish(&s, wants_close);
	play_clear(&s.play);
	buf_clear(&s.said);
	buf_clear(&s.wanted);
	buf_clear(&s.messages);
	return s.failures;
}

static char *
read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1U << 16);

	cr_assert_not_null(f, "%s", path);
	cr_assert_not_null(text);
	cr_assert_lt(fread(text, 1, (1U << 16) - 1, f), (1U << 16) - 1);
	fclose(f);
	return text;
}

Test(smtpd_replay, all_scripts_in_three_ways)
{
	const char *source = getenv("MTAD_SOURCE");
	char folder[512], path[1024];
	unsigned failures = 0, scripts = 0;
	struct dirent *entry;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%s/tests/replay/smtpd",
	    source != NULL ? source : ".");
	dir = opendir(folder);
	cr_assert_not_null(dir, "%s", folder);
	while ((entry = readdir(dir)) != NULL) {
		if (strstr(entry->d_name, ".txt") == NULL)
			continue;
		scripts++;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		for (int mode = BY_LINE; mode <= IN_ONE_PIECE; mode++) {
			char *text = read_file(path);

			failures += play_script(entry->d_name, text,
			    (enum mode)mode);
			free(text);
		}
	}
	closedir(dir);
	cr_assert_geq(scripts, 10);
	cr_assert_eq(failures, 0);
}
