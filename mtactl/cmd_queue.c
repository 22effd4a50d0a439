/*
 * Verbs about a selection of messages.  All of them are one request to queued,
 * which does the selecting; they differ in what is printed.
 *
 * What deletes asks first: a dry run counts, a person confirms, and then the
 * same selection is run for good.  What has changed in between is not noticed;
 * the second answer has the number that counts.
 */
#include "common/ipc/messages.h"
#include "common/os/clock.h"
#include "mtactl/client.h"
#include "mtactl/rows.h"

#include <stdio.h>
#include <unistd.h>

#define SELECTION_MAX 8192		/* as messages.def has it */

/* How each changing verb is spoken of. */
static const struct words {
	const char *name;
	const char *doing;
	const char *done;
	const char *undone;		/* of a dry run */
} words[CTL_VERB_COUNT] = {
	[CTL_HOLD] = { "hold", "holding", "held", "would hold" },
	[CTL_RELEASE] = { "release", "releasing", "released",
	    "would release" },
	[CTL_RETRY] = { "retry", "making due", "due now:",
	    "would make due now:" },
	[CTL_DELETE] = { "delete", "deleting", "deleted", "would delete" },
};

struct question {
	struct mtactl *m;
	struct client *client;
	enum ctl_verb verb;
	struct buf selection;
	struct rows rows;
};

/* Rows are printed as they come, so that memory doesn't grow with the
 * queue. */
static void
on_answer(void *ctx, const struct msg *m)
{
	struct question *q = ctx;

	if (m->type == MSG_ctl_row)
		rows_list(&q->rows, &m->ctl_row);
	else if (m->type == MSG_ctl_progress)
		output_progress(&q->m->out, words[q->verb].doing,
		    m->ctl_progress.done, m->ctl_progress.total);
}

static int
ask(struct question *q, bool is_dry_run, struct msg_ctl_end *end)
{
	struct msg m = { .type = MSG_ctl_queue };
	int code;

	m.ctl_queue.verb = (uint8_t)q->verb;
	m.ctl_queue.is_dry_run = is_dry_run;
	m.ctl_queue.limit = q->m->args.limit;
	m.ctl_queue.selection = buf_span(&q->selection);
	code = client_ask(q->client, &m, on_answer, q, end);
	/* before anything else is printed on the same terminal */
	output_progress_end(&q->m->out);
	return code != MTACTL_DONE ? code : client_result(end);
}

/* ---- list and count ---- */

static void
print_count(struct output *o, uint64_t count)
{
	struct json j;

	if (!o->is_json) {
		output_line(o, "%llu", (unsigned long long)count);
		return;
	}
	json_init(&j, &o->b);
	json_object(&j);
	json_key(&j, "v");
	json_u64(&j, 1);
	json_key(&j, "count");
	json_u64(&j, count);
	json_object_end(&j);
	buf_add_byte(&o->b, '\n');
}

/* Verbs that change nothing. */
static int
look(struct question *q)
{
	struct msg_ctl_end end;
	int code = ask(q, false, &end);

	if (code != MTACTL_DONE)
		return code;
	if (q->verb == CTL_COUNT)
		print_count(&q->m->out, end.count);
	else
		rows_list_end(&q->rows);
	return MTACTL_DONE;
}

/* ---- what changes something ---- */

/* The number is what was really done, also when it differs from the dry
 * run's. */
static void
print_change(const struct question *q, bool is_dry_run, uint64_t count)
{
	const struct words *w = &words[q->verb];
	struct output *o = &q->m->out;
	struct json j;

	if (!o->is_json) {
		buf_add_str(&o->b, is_dry_run ? w->undone : w->done);
		buf_add_byte(&o->b, ' ');
		output_count(o, count, "message");
		buf_add_byte(&o->b, '\n');
		return;
	}
	json_init(&j, &o->b);
	json_object(&j);
	json_key(&j, "v");
	json_u64(&j, 1);
	json_key(&j, "verb");
	json_str(&j, w->name);
	json_key(&j, "dry_run");
	json_bool(&j, is_dry_run);
	json_key(&j, "count");
	json_u64(&j, count);
	json_object_end(&j);
	buf_add_byte(&o->b, '\n');
}

/* Asks for a yes; only on a terminal, and only a person can give it. */
static int
confirm(uint64_t count)
{
	char answer[16] = "";

	(void)fprintf(stderr, "delete %llu message%s for good? [y/N] ",
	    (unsigned long long)count, count == 1 ? "" : "s");
	if (fgets(answer, sizeof(answer), stdin) == NULL ||
	    (answer[0] != 'y' && answer[0] != 'Y'))
		return mtactl_fail(MTACTL_FAILED, "nothing was deleted");
	return MTACTL_DONE;
}

static int
change(struct question *q)
{
	const struct args *args = &q->m->args;
	struct msg_ctl_end end;
	int code;

	if (q->verb == CTL_DELETE && !args->has_yes && !args->is_dry_run) {
		code = ask(q, true, &end);
		/* nothing to confirm when nothing is meant */
		if (code == MTACTL_DONE && end.count > 0)
			code = confirm(end.count);
		if (code != MTACTL_DONE)
			return code;
	}
	code = ask(q, args->is_dry_run, &end);
	if (code == MTACTL_DONE)
		print_change(q, args->is_dry_run, end.count);
	return code;
}

/* ---- the verbs ---- */

static bool
is_blank(struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != ' ' && text.p[i] != '\t')
			return false;
	return true;
}

/* The verbs up to CTL_LIST only look (enum ctl_verb). */
static int
run_question(struct mtactl *m, enum ctl_verb verb)
{
	struct question q = { .m = m, .verb = verb };
	int code;

	buf_init(&q.selection, SELECTION_MAX);
	args_join(&m->args, 0, &q.selection);
	if (buf_failed(&q.selection)) {
		buf_clear(&q.selection);
		return mtactl_fail(MTACTL_USAGE,
		    "the selection is longer than %d bytes", SELECTION_MAX);
	}
	/* an unset variable of a script must not mean the whole queue */
	if (verb > CTL_LIST && is_blank(buf_span(&q.selection))) {
		buf_clear(&q.selection);
		return mtactl_fail(MTACTL_USAGE,
		    "the selection is empty; say `all` if all is meant");
	}
	rows_init(&q.rows, &m->out, (uint64_t)clock_wall_ms());
	code = client_open(m, &q.client);
	if (code == MTACTL_DONE)
		code = verb <= CTL_LIST ? look(&q) : change(&q);
	client_close(&q.client);
	buf_clear(&q.selection);
	return code;
}

/* The verbs differ in their word for queued only. */
int
cmd_queue_list(struct mtactl *m)
{
	return run_question(m, CTL_LIST);
}

int
cmd_queue_count(struct mtactl *m)
{
	return run_question(m, CTL_COUNT);
}

int
cmd_queue_hold(struct mtactl *m)
{
	return run_question(m, CTL_HOLD);
}

int
cmd_queue_release(struct mtactl *m)
{
	return run_question(m, CTL_RELEASE);
}

int
cmd_queue_retry(struct mtactl *m)
{
	return run_question(m, CTL_RETRY);
}

int
cmd_queue_delete(struct mtactl *m)
{
	/* a script must not hang in a question */
	if (!m->args.has_yes && !m->args.is_dry_run &&
	    !(isatty(STDIN_FILENO) && isatty(STDERR_FILENO)))
		return mtactl_fail(MTACTL_USAGE,
		    "`queue delete` needs --yes where nobody can be asked");
	return run_question(m, CTL_DELETE);
}
