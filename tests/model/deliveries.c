/*
 * The client dialogue with hosts as scripted, for tests/model/deliveries.py.
 *
 * One script a line:
 *	OPTIONS MAX RCPTS[,RCPTS...] TOKEN...
 * OPTIONS: letters, l LMTP, b input byte by byte, - none.  MAX: recipients in one
 * transaction; RCPTS: of each mail.  A TOKEN is fed when a command waits for its
 * reply: N:HEX, N replies in one segment; or timeout, or lost.  One line of
 * verdicts for each script: for each mail its recipients, a letter and the code.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "tests/unit/deliverd/tx_play.h"

#define LINE_BYTES (1 << 16)

struct driver {
	struct play play;
	size_t seen;		/* of the output */
	unsigned asked, said;	/* commands, replies */
	char *tokens;
};

/* Content is the line `C', its end a dot: with LMTP a command for each. */
static void
count_commands(struct driver *d, bool is_lmtp)
{
	const struct buf *out = &d->play.out;

	for (size_t i = d->seen; i + 1 < out->n; i++) {
		size_t n = i - d->seen;
		const uint8_t *line = out->p + d->seen;

		if (out->p[i] != '\r' || out->p[i + 1] != '\n')
			continue;
		if (n == 1 && line[0] == '.' && is_lmtp &&
		    d->play.content_of != NULL)
			d->asked += d->play.content_of->accepted;
		else if (n != 1 || line[0] == '.')
			d->asked++;
		d->seen = i + 2;
	}
}

static void
feed(struct driver *d, const char *token)
{
	uint8_t bytes[8192];
	size_t n = 0;
	unsigned count, octet;
	int at;

	if (strcmp(token, "timeout") == 0) {
		tx_timeout(d->play.t);
		play_pump(&d->play);
		return;
	}
	if (strcmp(token, "lost") == 0) {
		tx_lost(d->play.t, "lost", 0);
		play_pump(&d->play);
		return;
	}
	MUST(sscanf(token, "%u:%n", &count, &at) == 1);
	for (; sscanf(token + at, "%2x", &octet) == 1; at += 2) {
		MUST(n < sizeof(bytes));
		bytes[n++] = (uint8_t)octet;
	}
	d->said += count;
	play_input(&d->play, bytes, n);
}

static void
print(const struct play *p)
{
	static const char letters[] = "udtfx";

	for (size_t i = 0; i < p->n_mails; i++) {
		const struct play_mail *m = &p->mails[i];

		for (uint32_t k = 0; k < m->mail.rcpt_count; k++)
			printf("%s%c%u", k > 0 ? "," : i > 0 ? " " : "",
			    letters[m->rcpts[k].outcome], m->rcpts[k].code);
	}
	printf("\n");
}

static void
add_mails(struct driver *d, char *counts)
{
	char *rest = NULL;

	for (char *w = strtok_r(counts, ",", &rest); w != NULL;
	    w = strtok_r(NULL, ",", &rest)) {
		struct play_mail *m = play_mail(&d->play, "m", "s@a.example",
		    "C\r\n", 3, 0);

		for (int i = atoi(w); i > 0; i--)
			play_rcpt(m, "r@b.example");
	}
}

static void
run(char *line)
{
	static struct driver d;
	char *rest = NULL, *options = strtok_r(line, " \n", &rest);
	bool is_lmtp = strchr(options, 'l') != NULL;

	memset(&d, 0, sizeof(d));
	play_open(&d.play, strchr(options, 'b') != NULL ? 1 : SIZE_MAX,
	    SIZE_MAX);
	if (is_lmtp)
		tx_speak_lmtp(d.play.t);
	d.play.setup.rcpts_max =
	    (uint32_t)atoi(strtok_r(NULL, " \n", &rest));
	add_mails(&d, strtok_r(NULL, " \n", &rest));
	tx_connected(d.play.t);
	play_pump(&d.play);
	d.asked = 1;			/* the greeting */
	for (char *w; !d.play.is_closed && d.said < d.asked &&
	    (w = strtok_r(NULL, " \n", &rest)) != NULL;) {
		feed(&d, w);
		count_commands(&d, is_lmtp);
	}
	if (!d.play.is_closed) {
		tx_lost(d.play.t, "the end of the script", 0);
		play_pump(&d.play);
	}
	print(&d.play);
	play_close(&d.play);
}

int
main(void)
{
	static char line[LINE_BYTES];

	while (fgets(line, sizeof(line), stdin) != NULL)
		run(line);
	return 0;
}
