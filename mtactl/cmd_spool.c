/*
 * `spool …`: asked of queued; when no mtad serves the spool, queued's own
 * program is run on it, found beside this one (mtactl never opens the spool).
 * The words are queued's either way.
 */
#include "common/conf/conf.h"
#include "common/confload/conf_load.h"
#include "common/confload/conf_report.h"
#include "mtactl/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, ARGS_MAX = 8 };

static const char *const names[CTL_SPOOL_VERB_COUNT] = {
	[CTL_SPOOL_STATS] = "stats", [CTL_SPOOL_CHECK] = "check",
};

/* ---- on line ---- */

static void
on_answer(void *ctx, const struct msg *m)
{
	struct mtactl *mtactl = ctx;

	if (m->type == MSG_ctl_text) {
		buf_add_span(&mtactl->out.b, m->ctl_text.text);
		output_flush(&mtactl->out);
	} else if (m->type == MSG_ctl_progress) {
		output_progress(&mtactl->out, "checking",
		    m->ctl_progress.done, m->ctl_progress.total);
	}
}

static int
ask(struct mtactl *m, struct client *client, enum ctl_spool_verb verb)
{
	struct msg request = { .type = MSG_ctl_spool };
	struct msg_ctl_end end;
	int code;

	request.ctl_spool.verb = (uint8_t)verb;
	request.ctl_spool.is_json = m->out.is_json;
	code = client_ask(client, &request, on_answer, m, &end);
	output_progress_end(&m->out);
	if (code == MTACTL_DONE && end.result == CTL_DAMAGED)
		return MTACTL_DAMAGED;
	return code == MTACTL_DONE ? client_result(&end) : code;
}

/* ---- off line ---- */

/* "…/queued" beside "…/mtactl". */
static bool
find_queued(char out[PATH_SIZE])
{
	static const char name[] = "queued";
	ssize_t n = readlink("/proc/self/exe", out, PATH_SIZE - 1);

	while (n > 0 && out[n - 1] != '/')
		n--;
	if (n <= 0 || (size_t)n + sizeof(name) > PATH_SIZE)
		return false;
	memcpy(out + n, name, sizeof(name));
	return access(out, X_OK) == 0;
}

/* A wrong configuration may name a wrong spool: then nothing is done. */
static int
find_spool(const struct mtactl *m, struct conf **conf)
{
	struct conf_report report;
	int code = MTACTL_DONE;

	conf_report_init(&report, m->args.config);
	if (conf_load_file(m->args.config, &report, conf) != OK) {
		mtactl_print_report(&report);
		code = mtactl_fail(MTACTL_UNREACHED, "no mtad answers, and "
		    "without the configuration there is no telling where its "
		    "spool is");
	}
	conf_report_clear(&report);
	return code;
}

/* Comes back only when it fails. */
static int
run_queued(struct mtactl *m, const char *spool, const char *const *words)
{
	char program[PATH_SIZE], *args[ARGS_MAX];
	size_t n = 0;

	if (!find_queued(program))
		return mtactl_fail(MTACTL_FAILED, "the program queued is not "
		    "beside mtactl");
	args[n++] = program;
	args[n++] = (char *)(uintptr_t)"--spool";
	args[n++] = (char *)(uintptr_t)spool;
	while (*words != NULL && n + 2 < ARGS_MAX)
		args[n++] = (char *)(uintptr_t)*words++;
	if (m->out.is_json)
		args[n++] = (char *)(uintptr_t)"--json";
	args[n] = NULL;
	(void)fflush(stdout);
	(void)execv(program, args);
	return mtactl_fail(MTACTL_FAILED, "%s: %s", program, strerror(errno));
}

static int
run_off_line(struct mtactl *m, const char *const *words)
{
	struct conf *conf = NULL;
	int code = find_spool(m, &conf);

	if (code == MTACTL_DONE)
		code = run_queued(m, conf->queue.path, words);
	conf_free(&conf);
	return code;
}

/* ---- verbs ---- */

static int
look(struct mtactl *m, enum ctl_spool_verb verb)
{
	const char *const words[] = { names[verb], NULL };
	struct client *client = NULL;
	struct why why = { "" };
	int code = client_try(m, &client, &why);

	if (code == MTACTL_DONE)
		code = ask(m, client, verb);
	else if (code == MTACTL_UNREACHED && m->args.socket == NULL)
		code = run_off_line(m, words);
	else
		(void)mtactl_fail(MTACTL_UNREACHED, "%s", why.text);
	client_close(&client);
	return code;
}

int
cmd_spool_stats(struct mtactl *m)
{
	return look(m, CTL_SPOOL_STATS);
}

int
cmd_spool_check(struct mtactl *m)
{
	return look(m, CTL_SPOOL_CHECK);
}
