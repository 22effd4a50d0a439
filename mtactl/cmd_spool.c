/*
 * `spool stats` and `check`: asked of queued; when no mtad serves the spool,
 * queued's own program is run on it.  The words are queued's either way.
 */
#include "mtactl/client.h"
#include "mtactl/off_line.h"

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
		code = off_line_spool(m, words);
	else if (why.text[0] != '\0')
		(void)off_line_not(m, &why);
	client_close(&client);
	return code;
}

int
cmd_spool_stats(struct mtactl *m)
{
	return look(m, CTL_SPOOL_STATS);
}

/* A backup is looked at where it lies; so is any spool at rest. */
int
cmd_spool_check(struct mtactl *m)
{
	const char *const words[] = { names[CTL_SPOOL_CHECK], NULL };

	if (m->args.operand_count > 0)
		return off_line_run(m, m->args.operands[0], words);
	return look(m, CTL_SPOOL_CHECK);
}
