/*
 * Passwords, without asking anybody: hashes for the file of users, and whether
 * a password is the one that stands there.
 *
 * A password comes from the terminal, where it isn't shown, or as one line of
 * standard input; never from the command line, which others can see.
 */
#include "common/base/check.h"
#include "common/confload/conf_load.h"
#include "common/os/file.h"
#include "common/os/random.h"
#include "common/secret/passwords.h"
#include "mtactl/mtactl.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define SCRAM_ITERATIONS	10000u
#define SCRAM_SALT_BYTES	16
#define TEXT_MAX_BYTES		((size_t)64 * 1024)

struct typed {
	char text[CRYPT_PASSWORD_MAX + 2];	/* without its line end */
	size_t n;
};

static struct span
typed_span(const struct typed *t)
{
	return span_of(t->text, t->n);
}

/* One line, or nothing. */
static bool
read_line(FILE *f, struct typed *out)
{
	if (fgets(out->text, sizeof(out->text), f) == NULL)
		return false;
	out->n = strcspn(out->text, "\r\n");
	return out->n < sizeof(out->text) - 1;
}

/* Typed letters are not shown; the terminal is as it was afterwards. */
static bool
ask(const char *prompt, struct typed *out)
{
	struct termios was, quiet;
	bool is_read;

	if (tcgetattr(STDIN_FILENO, &was) != 0)
		return read_line(stdin, out);
	quiet = was;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	(void)fputs(prompt, stderr);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	is_read = read_line(stdin, out);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	(void)fputc('\n', stderr);
	return is_read;
}

/* At a terminal twice, as a slip of the finger would lock somebody out. */
static bool
ask_new(struct typed *out)
{
	struct typed again;
	bool is_same;

	if (!ask("New password: ", out))
		return false;
	if (!isatty(STDIN_FILENO))
		return true;
	is_same = ask("Once more: ", &again) &&
	    span_equal(typed_span(out), typed_span(&again));
	explicit_bzero(&again, sizeof(again));
	return is_same;
}

/* ---- hash ---- */

static enum err
put_scram(struct span password, struct buf *out)
{
	uint8_t salt[SCRAM_SALT_BYTES];
	struct scram_secret s;
	enum err e = random_fill(salt, sizeof(salt));

	if (e == OK)
		e = scram_make(password, span_of(salt, sizeof(salt)),
		    SCRAM_ITERATIONS, &s);
	if (e == OK)
		scram_write(&s, out);
	explicit_bzero(&s, sizeof(s));
	return e;
}

static enum err
put_crypt(const char *prefix, struct span password, struct buf *out)
{
	char hash[CRYPT_HASH_MAX + 1];
	struct crypt_work *w = crypt_work_new();
	enum err e = w == NULL ? ERR_NOMEM
	    : crypt_hash_make(w, prefix, password, hash);

	if (e == OK)
		buf_add_str(out, hash);
	crypt_work_free(&w);
	return e;
}

static const struct {
	const char *name;
	const char *prefix;		/* of crypt(3); NULL: SCRAM */
} schemes[] = {
	{ "yescrypt", "$y$" }, { "sha512", "$6$" }, { "scram-sha-256", NULL },
};

static int
hash(struct mtactl *m, const char *prefix)
{
	struct buf *out = &m->out.b;
	struct typed typed;
	enum err e;

	if (!ask_new(&typed) || typed.n == 0) {
		explicit_bzero(&typed, sizeof(typed));
		return mtactl_fail(MTACTL_USAGE, "no password, one that is "
		    "too long, or two that differ");
	}
	if (m->args.operand_count > 0) {
		buf_add_str(out, m->args.operands[0]);
		buf_add_byte(out, ':');
	}
	e = prefix == NULL ? put_scram(typed_span(&typed), out)
	    : put_crypt(prefix, typed_span(&typed), out);
	explicit_bzero(&typed, sizeof(typed));
	buf_add_byte(out, '\n');
	if (e == OK)
		return MTACTL_DONE;
	buf_reset(out);
	return mtactl_fail(MTACTL_FAILED, "no hash could be made: %s",
	    err_text(e));
}

int
cmd_auth_hash(struct mtactl *m)
{
	const char *name = m->args.scheme != NULL ? m->args.scheme
	    : schemes[0].name;

	for (size_t i = 0; i < COUNT_OF(schemes); i++) {
		if (strcmp(name, schemes[i].name) == 0)
			return hash(m, schemes[i].prefix);
	}
	return mtactl_fail(MTACTL_USAGE, "--scheme is yescrypt, sha512 or "
	    "scram-sha-256");
}

/* ---- test ---- */

/* The file of auth.passwords; words on standard error when it can't be
 * used. */
static bool
load(const char *path, struct passwords *out)
{
	struct why why = { "" };
	struct siphash_key seed;
	struct buf file, text;
	enum err e;

	buf_init(&file, PASSWORDS_FILE_MAX);
	buf_init(&text, TEXT_MAX_BYTES);
	e = file_read(AT_FDCWD, path, PASSWORDS_FILE_MAX, &file, &why);
	if (e == OK)
		e = random_key(&seed);
	if (e == OK)
		e = passwords_load(span_str(path), buf_span(&file), &seed,
		    out, &text);
	if (e != OK)
		(void)mtactl_fail(MTACTL_FAILED, "%.*s", text.n > 0
		    ? (int)text.n : (int)sizeof(why.text), text.n > 0
		    ? (const char *)text.p : why.text[0] != '\0' ? why.text
		    : err_text(e));
	if (file.p != NULL)
		explicit_bzero(file.p, file.size);
	buf_clear(&file);
	buf_clear(&text);
	return e == OK;
}

static int
test_with(struct mtactl *m, const struct passwords *users)
{
	struct crypt_work *w = crypt_work_new();
	struct password_check check;
	struct typed typed;
	bool fits = false;

	passwords_check(users, span_str(m->args.operands[0]), &check);
	if (w != NULL && ask("Password: ", &typed))
		fits = password_fits(w, &check, typed_span(&typed));
	explicit_bzero(&typed, sizeof(typed));
	output_line(&m->out, "%s", fits ? "it is the password"
	    : check.is_user ? "it is not the password" : "no such user");
	explicit_bzero(&check, sizeof(check));
	crypt_work_free(&w);
	return fits ? MTACTL_DONE : MTACTL_FAILED;
}

int
cmd_auth_test(struct mtactl *m)
{
	struct conf_report report;
	struct passwords users = { .n = 0 };
	struct conf *conf = NULL;
	int code = MTACTL_FAILED;

	conf_report_init(&report, m->args.config);
	if (conf_load_file(m->args.config, &report, &conf) != OK)
		mtactl_print_report(&report);
	else if (conf->auth.dovecot[0] != '\0')
		code = mtactl_fail(MTACTL_FAILED, "%s asks Dovecot about "
		    "users (auth.dovecot), and this only looks at a file of "
		    "passwords; ask `doveadm auth test %s`", m->args.config,
		    m->args.operands[0]);
	else if (conf->auth.passwords[0] == '\0')
		code = mtactl_fail(MTACTL_FAILED, "%s names no auth.passwords",
		    m->args.config);
	else if (load(conf->auth.passwords, &users))
		code = test_with(m, &users);
	passwords_clear(&users);
	conf_free(&conf);
	conf_report_clear(&report);
	return code;
}
