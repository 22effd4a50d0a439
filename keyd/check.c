#include "keyd/check.h"

#include "common/base/check.h"
#include "common/base/wire.h"
#include "common/ipc/messages.h"
#include "common/os/file.h"
#include "common/os/random.h"
#include "common/os/rlimit.h"
#include "common/secret/passwords.h"
#include "common/tls/tls_clients.h"
#include "keyd/pairs.h"

#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define INPUT_MAX	((size_t)32 * 1024 * 1024)
#define TEXT_MAX	((size_t)16 * 1024)
#define TEXT_LAST	((size_t)256)	/* kept for the last line */

static enum err
judge_pairs(const struct msg_list *rows, enum pairs_side side,
    struct buf *text)
{
	struct pairs pairs = { .n = 0 };
	enum err e = pairs_load(rows, side, (int64_t)time(NULL), &pairs, text);

	pairs_clear(&pairs);
	return e;
}

static enum err
judge_own_pairs(struct span fields, struct buf *text)
{
	struct msg m;
	enum err e = msg_decode(MSG_tls_pairs, fields, &m);

	return e == OK ? judge_pairs(&m.tls_pairs.rows, PAIRS_SERVER, text) :
	    e;
}

static enum err
judge_hop_pairs(struct span fields, struct buf *text)
{
	struct msg m;
	enum err e = msg_decode(MSG_hop_pairs, fields, &m);

	return e == OK ? judge_pairs(&m.hop_pairs.rows, PAIRS_CLIENT, text) :
	    e;
}

static enum err
judge_passwords(struct span fields, struct buf *text)
{
	struct passwords passwords = { .n = 0 };
	struct siphash_key seed = { 0, 0 };
	struct msg m;
	enum err e = random_key(&seed);

	if (e == OK)
		e = msg_decode(MSG_passwords, fields, &m);
	if (e == OK)
		e = passwords_load(m.passwords.name, m.passwords.file, &seed,
		    &passwords, text);
	passwords_clear(&passwords);
	return e;
}

/* Public, and not keyd's to keep: but it knows what a certificate is. */
static enum err
judge_client_ca(struct span fields, struct buf *text)
{
	struct tls_clients *clients = NULL;
	struct why why = { "" };
	struct msg m;
	enum err e = msg_decode(MSG_client_ca, fields, &m);

	if (e != OK || m.client_ca.name.n == 0)
		return e;
	e = tls_clients_new(m.client_ca.pem, &clients, &why);
	if (e != OK)
		buf_addf(text, "auth.client_ca: %.*s: %s\n",
		    (int)m.client_ca.name.n,
		    (const char *)m.client_ca.name.p, why.text);
	tls_clients_free(&clients);
	return e;
}

/* All, so that all that is wrong is told at once. */
static enum err
judge(struct span input, struct buf *text)
{
	enum err (*const judges[])(struct span, struct buf *) = {
		judge_own_pairs, judge_passwords, judge_client_ca,
		judge_hop_pairs,
	};
	struct span parts[COUNT_OF(judges)];
	struct wire w;
	enum err first = OK;

	wire_init(&w, input);
	for (size_t i = 0; i < COUNT_OF(judges); i++)
		parts[i] = wire_span(&w, INPUT_MAX);
	if (wire_done(&w) != OK)
		return ERR_SYNTAX;
	for (size_t i = 0; i < COUNT_OF(judges); i++) {
		enum err e = judges[i](parts[i], text);

		if (first == OK)
			first = e;
	}
	return first;
}

/* A file with a thousand mistakes shows as many as are read by anybody. */
static void
cut(struct buf *text)
{
	if (!buf_failed(text))
		return;
	while (text->n > 0 && (text->n > TEXT_MAX - TEXT_LAST ||
	    text->p[text->n - 1] != '\n'))
		text->n--;
	text->is_failed = false;
	buf_add_str(text, "and more of the kind\n");
}

int
check_main(void)
{
	struct buf input, text;
	enum err e;

	(void)rlimit_no_core();
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	buf_init(&input, INPUT_MAX);
	/* in one piece, to be wiped at the end; untouched pages cost nothing */
	(void)buf_reserve(&input, INPUT_MAX);
	buf_init(&text, TEXT_MAX);
	e = file_read_fd(STDIN_FILENO, INPUT_MAX, &input);
	if (e == OK)
		e = judge(buf_span(&input), &text);
	cut(&text);
	if (text.n > 0 && file_write_all(STDOUT_FILENO, text.p, text.n) != OK)
		e = ERR_IO;
	if (input.p != NULL)
		explicit_bzero(input.p, input.n);
	buf_clear(&input);
	buf_clear(&text);
	return e == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
