/*
 * Dialogues of the client engine as scripts: tests/replay/deliverd/NAME.txt,
 * played with the host's bytes in one piece and byte by byte.
 *
 *	mail NAME SENDER RCPT... [| FLAG...]	flags: 8bit dots noeol
 *				binary utf8 utf8header by=MODE/SECONDS
 *	orcpt NAME TEXT		of its last recipient
 *	body NAME TEXT		\r \n \xNN \\ ; more lines are appended
 *	max N			recipients in one transaction
 *	whole			not byte by byte: segments matter here
 *	connect
 *	S: LINE			the host says, with CRLF; S| without
 *	C: LINE			must have been sent next, with CRLF; C| without
 *	policy WORD		convert convert-unsigned return pass
 *	hold | go		content can't be read yet | now it can
 *	timeout | lost UNSENT WHY | quit | unreadable
 *	closed			the engine wants the connection closed
 *	violation		and blames the host
 *	untried NAME		given back for another connection
 *	expect NAME RCPT OUTCOME CODE STATUS [TEXT]	TEXT: a part of it
 *	trouble CODE TEXT	why the connection was of no use
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/conf/conf_choices.h"
#include "tx_play.h"

#define LINE_SIZE 8192

struct script {
	struct play play;
	struct buf said;	/* by the host, not yet fed */
	size_t seen;		/* of the output, already compared */
	bool is_whole_only;
	bool is_bytewise;
	const char *path;
	int line;
};

#define SCRIPT_MUST(s, claim, ...) do { \
	if (!(claim)) { \
		fprintf(stderr, "%s:%d (%s): ", (s)->path, (s)->line, \
		    (s)->is_bytewise ? "byte by byte" : "whole"); \
		fprintf(stderr, __VA_ARGS__); \
		fprintf(stderr, "\n"); \
		return false; \
	} \
} while (0)

/* \r \n \\ \xNN and \*N(TEXT) for repetition */
static void
unescape(const char *in, struct buf *out)
{
	for (; *in != '\0'; in++) {
		char hex[3] = { 0 };

		if (*in != '\\') {
			buf_add_byte(out, (uint8_t)*in);
			continue;
		}
		switch (*++in) {
		case 'r': buf_add_byte(out, '\r'); break;
		case 'n': buf_add_byte(out, '\n'); break;
		case 'x':
			memcpy(hex, in + 1, 2);
			buf_add_byte(out, (uint8_t)strtoul(hex, NULL, 16));
			in += 2;
			break;
		case '*': {
			char *end;
			unsigned long n = strtoul(in + 1, &end, 10);
			const char *close = strchr(end, ')');
			char text[128];

			(void)snprintf(text, sizeof(text), "%.*s",
			    (int)(close - end - 1), end + 1);
			while (n-- > 0)
				unescape(text, out);
			in = close;
			break;
		}
		default: buf_add_byte(out, (uint8_t)*in); break;
		}
	}
}

static bool
feed(struct script *s)
{
	struct buf said = s->said;

	if (said.n == 0)
		return true;
	SCRIPT_MUST(s, s->seen == s->play.out.n, "was sent and not expected: "
	    "%.*s", (int)(s->play.out.n - s->seen),
	    (const char *)s->play.out.p + s->seen);
	buf_init(&s->said, 1 << 24);
	play_input(&s->play, said.p, said.n);
	buf_clear(&said);
	return true;
}

static bool
sent(struct script *s, const char *text, const char *end)
{
	struct buf want;
	struct span have;
	bool is_equal;

	buf_init(&want, 1 << 20);
	unescape(text, &want);
	buf_add_str(&want, end);
	have = span_sub(buf_span(&s->play.out), s->seen, want.n);
	is_equal = span_equal(have, buf_span(&want));
	s->seen += want.n;
	buf_clear(&want);
	SCRIPT_MUST(s, is_equal, "expected `%s', sent `%.*s'", text,
	    (int)have.n, (const char *)have.p);
	return true;
}

static void
add_mail(struct script *s, char *args)
{
	char *name = strtok(args, " ");
	char *sender = strtok(NULL, " ");
	struct play_mail *m = play_mail(&s->play, name,
	    strcmp(sender, "<>") == 0 ? "" : sender, "", 0, 0);
	bool is_flag = false;

	for (char *w = strtok(NULL, " "); w != NULL; w = strtok(NULL, " ")) {
		if (strcmp(w, "|") == 0)
			is_flag = true;
		else if (!is_flag)
			play_rcpt(m, w);
		else if (strcmp(w, "8bit") == 0)
			m->mail.flags |= TX_CONTENT_8BIT;
		else if (strcmp(w, "dots") == 0)
			m->mail.flags |= TX_CONTENT_DOTS;
		else if (strcmp(w, "noeol") == 0)
			m->mail.flags |= TX_CONTENT_NO_EOL;
		else if (strncmp(w, "by=", 3) == 0) {
			m->mail.by = (uint8_t)atoi(w + 3);
			m->mail.by_seconds = atoi(strchr(w, '/') + 1);
		} else if (strcmp(w, "binary") == 0)
			m->mail.flags |= TX_CONTENT_BINARY;
		else if (strcmp(w, "utf8") == 0)
			m->mail.is_utf8 = true;
		else if (strcmp(w, "utf8header") == 0)
			m->mail.is_utf8 = m->mail.has_utf8_header = true;
		else
			abort();
	}
}

/* NAME and TEXT stay in the script's memory. */
static void
add_orcpt(struct script *s, char *args)
{
	char *text = strchr(args, ' ');
	static char kept[4096];
	struct play_mail *m;

	*text++ = '\0';
	m = play_find(&s->play, args);
	(void)snprintf(kept, sizeof(kept), "%s", text);
	m->rcpts[m->mail.rcpt_count - 1].orcpt = span_str(kept);
}

static void
add_body(struct script *s, char *args)
{
	char *text = strchr(args, ' ');
	struct play_mail *m;
	struct buf body;

	*text++ = '\0';
	m = play_find(&s->play, args);
	buf_init(&body, sizeof(m->body) - m->body_n);
	unescape(text, &body);
	memcpy(m->body + m->body_n, body.p, body.n);
	m->body_n += body.n;
	m->mail.size = m->body_n;
	buf_clear(&body);
}

static bool
has(struct span s, const char *part)
{
	size_t n = strlen(part);

	for (size_t at = 0; at + n <= s.n; at++)
		if (span_equal(span_sub(s, at, n), span_of(part, n)))
			return true;
	return false;
}

static bool
expect(struct script *s, char *args)
{
	char name[16], address[64], outcome[16], status[16];
	char text[256] = "", have_status[STATUS_SIZE] = "-";
	unsigned code;
	struct play_mail *m;
	const struct tx_rcpt *r = NULL;
	struct span said;
	int n = sscanf(args, "%15s %63s %15s %u %15s %255[^\n]", name, address,
	    outcome, &code, status, text);

	SCRIPT_MUST(s, n >= 5, "malformed expectation");
	m = play_find(&s->play, name);
	for (uint32_t i = 0; i < m->mail.rcpt_count; i++)
		if (strcmp(m->addresses[i], address) == 0)
			r = &m->rcpts[i];
	SCRIPT_MUST(s, r != NULL, "no recipient %s", address);
	if (r->status.class != 0)
		(void)status_format(r->status, have_status);
	said = tx_mail_text(&m->mail, r);
	SCRIPT_MUST(s, strcmp(play_outcomes[r->outcome], outcome) == 0,
	    "%s is %s (%.*s)", address, play_outcomes[r->outcome],
	    (int)said.n, (const char *)said.p);
	SCRIPT_MUST(s, r->code == code, "%s has code %u", address, r->code);
	SCRIPT_MUST(s, strcmp(have_status, status) == 0, "%s has status %s",
	    address, have_status);
	SCRIPT_MUST(s, has(said, text), "%s has text %.*s", address,
	    (int)said.n, (const char *)said.p);
	return true;
}

static bool
trouble(struct script *s, char *args)
{
	const struct tx_finding *f = tx_trouble(s->play.t);
	char *text;
	unsigned long code = strtoul(args, &text, 10);

	text += strspn(text, " ");
	SCRIPT_MUST(s, f->outcome == TX_DEFERRED, "no trouble");
	SCRIPT_MUST(s, f->code == code, "code %u", f->code);
	SCRIPT_MUST(s, has(f->text, text), "text %.*s", (int)f->text.n,
	    (const char *)f->text.p);
	return true;
}

static bool
event(struct script *s, const char *word, char *args)
{
	struct tx *t = s->play.t;
	char *why;

	if (strcmp(word, "connect") == 0)
		tx_connected(t);
	else if (strcmp(word, "timeout") == 0)
		tx_timeout(t);
	else if (strcmp(word, "quit") == 0)
		tx_quit(t);
	else if (strcmp(word, "hold") == 0 || strcmp(word, "go") == 0)
		s->play.is_held = word[0] == 'h';
	else if (strcmp(word, "unreadable") == 0)
		s->play.is_readless = true;
	else if (strcmp(word, "lost") == 0) {
		unsigned long unsent = strtoul(args, &why, 10);

		tx_lost(t, why + 1, unsent);
	} else
		SCRIPT_MUST(s, false, "what is `%s'?", word);
	play_pump(&s->play);
	return true;
}

static uint8_t
policy(const char *word)
{
	static const char *const words[] = {
		[CONF_EIGHT_BIT_CONVERT] = "convert",
		[CONF_EIGHT_BIT_CONVERT_UNSIGNED] = "convert-unsigned",
		[CONF_EIGHT_BIT_RETURN] = "return",
		[CONF_EIGHT_BIT_PASS] = "pass",
	};

	for (uint8_t i = 0; i < 4; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	abort();
}

static bool
do_line(struct script *s, char *line)
{
	char *args = strchr(line, ' ');

	if (line[0] == '#' || line[0] == '\0')
		return true;
	if (strncmp(line, "S:", 2) == 0 || strncmp(line, "S|", 2) == 0) {
		if (line[2] == ' ')
			unescape(line + 3, &s->said);
		if (line[1] == ':')
			buf_add_str(&s->said, "\r\n");
		return true;
	}
	if (!feed(s))
		return false;
	if (strncmp(line, "C:", 2) == 0 || strncmp(line, "C|", 2) == 0)
		return sent(s, line[2] == ' ' ? line + 3 : "",
		    line[1] == ':' ? "\r\n" : "");
	if (args != NULL)
		*args++ = '\0';
	if (strcmp(line, "mail") == 0)
		add_mail(s, args);
	else if (strcmp(line, "body") == 0)
		add_body(s, args);
	else if (strcmp(line, "orcpt") == 0)
		add_orcpt(s, args);
	else if (strcmp(line, "max") == 0)
		s->play.setup.rcpts_max = (uint32_t)strtoul(args, NULL, 10);
	else if (strcmp(line, "policy") == 0)
		s->play.eight_bit = policy(args);
	else if (strcmp(line, "whole") == 0)
		s->is_whole_only = true;
	else if (strcmp(line, "closed") == 0)
		SCRIPT_MUST(s, s->play.is_closed, "not closed");
	else if (strcmp(line, "violation") == 0)
		SCRIPT_MUST(s, tx_is_violated(s->play.t), "no violation");
	else if (strcmp(line, "untried") == 0)
		SCRIPT_MUST(s, play_find(&s->play, args)->is_untried,
		    "%s is not given back", args);
	else if (strcmp(line, "expect") == 0)
		return expect(s, args);
	else if (strcmp(line, "trouble") == 0)
		return trouble(s, args);
	else
		return event(s, line, args);
	return true;
}

static bool
run(const char *path, bool is_bytewise)
{
	static struct script s;
	char line[LINE_SIZE];
	FILE *file = fopen(path, "r");
	bool is_good = true;

	cr_assert_not_null(file, "%s", path);
	memset(&s, 0, sizeof(s));
	s.path = path;
	s.is_bytewise = is_bytewise;
	buf_init(&s.said, 1 << 24);
	play_open(&s.play, is_bytewise ? 1 : SIZE_MAX,
	    is_bytewise ? 1 : SIZE_MAX);
	while (is_good && fgets(line, sizeof(line), file) != NULL) {
		s.line++;
		line[strcspn(line, "\n")] = '\0';
		if (s.is_whole_only && is_bytewise)
			break;
		is_good = do_line(&s, line);
	}
	if (is_good && !(s.is_whole_only && is_bytewise))
		is_good = feed(&s) && s.seen == s.play.out.n;
	if (!is_good && s.seen < s.play.out.n)
		fprintf(stderr, "%s: left over: %.*s\n", path,
		    (int)(s.play.out.n - s.seen),
		    (const char *)s.play.out.p + s.seen);
	(void)fclose(file);
	buf_clear(&s.said);
	play_close(&s.play);
	return is_good;
}

Test(tx_replay, scripts)
{
	const char *source = getenv("MTAD_SOURCE");
	char directory[1024], path[2048];
	const struct dirent *entry;
	unsigned count = 0, bad = 0;
	DIR *dir;

	(void)snprintf(directory, sizeof(directory),
	    "%s/tests/replay/deliverd", source != NULL ? source : ".");
	dir = opendir(directory);
	cr_assert_not_null(dir, "%s", directory);
	while ((entry = readdir(dir)) != NULL) {
		if (strstr(entry->d_name, ".txt") == NULL)
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", directory,
		    entry->d_name);
		count++;
		bad += !run(path, false);
		bad += !run(path, true);
	}
	(void)closedir(dir);
	cr_assert_geq(count, 30, "only %u scripts", count);
	cr_assert_eq(bad, 0, "%u scripts failed", bad);
}
