/*
 * `dest list`, `show`, `suspend`, `resume` and `reset`.
 */
#include "common/base/units.h"
#include "common/os/clock.h"
#include "mtactl/client.h"
#include "mtactl/dest.h"

enum { NAME_MAX_BYTES = 2048, WHY_MAX_BYTES = 200 };

static void
on_row(void *ctx, const struct msg *m)
{
	struct mtactl *mtactl = ctx;
	uint64_t now = (uint64_t)clock_wall_ms();

	if (m->type != MSG_ctl_dest_row)
		return;
	if (mtactl->args.verb->run == cmd_dest_show)
		dest_show(&mtactl->out, &m->ctl_dest_row, now);
	else
		dest_list(&mtactl->out, &m->ctl_dest_row, now);
	output_flush(&mtactl->out);
}

/* The request that the command line is. */
static int
read_request(const struct mtactl *m, enum ctl_dest_verb verb, struct msg *out)
{
	struct msg_ctl_dest *d = &out->ctl_dest;

	*out = (struct msg){ .type = MSG_ctl_dest };
	d->verb = (uint8_t)verb;
	d->is_dry_run = m->args.is_dry_run;
	d->for_ms = m->args.for_ms;
	if (m->args.why != NULL)
		d->why = span_str(m->args.why);
	if (m->args.operand_count > 0)
		d->name = span_str(m->args.operands[0]);
	if (d->name.n > NAME_MAX_BYTES)
		return mtactl_fail(MTACTL_USAGE, "no destination has a name "
		    "of more than %d bytes", NAME_MAX_BYTES);
	if (d->why.n > WHY_MAX_BYTES)
		return mtactl_fail(MTACTL_USAGE, "--why takes no more than "
		    "%d bytes", WHY_MAX_BYTES);
	return MTACTL_DONE;
}

static int
ask(struct mtactl *m, enum ctl_dest_verb verb, struct msg_ctl_end *end)
{
	struct client *client = NULL;
	struct msg request;
	int code = read_request(m, verb, &request);

	if (code == MTACTL_DONE)
		code = client_open(m, &client);
	if (code == MTACTL_DONE && verb == CTL_DEST_LIST)
		dest_list_head(&m->out);
	if (code == MTACTL_DONE)
		code = client_ask(client, &request, on_row, m, end);
	if (code == MTACTL_DONE)
		code = client_result(end);
	end->text = SPAN_NONE;		/* goes with the client */
	client_close(&client);
	return code;
}

int
cmd_dest_list(struct mtactl *m)
{
	struct msg_ctl_end end;

	return ask(m, CTL_DEST_LIST, &end);
}

int
cmd_dest_show(struct mtactl *m)
{
	struct msg_ctl_end end;

	return ask(m, CTL_DEST_SHOW, &end);
}

/* A verb that changes something.  DONE: what it did to NAME. */
static int
change(struct mtactl *m, enum ctl_dest_verb verb, const char *name,
    const char *done, const char *noun)
{
	struct output *o = &m->out;
	struct msg_ctl_end end;
	int code = ask(m, verb, &end);

	if (code != MTACTL_DONE)
		return code;
	if (o->is_json) {
		output_line(o, "{\"v\":1,\"verb\":\"%s\",\"dry_run\":%s,"
		    "\"count\":%llu}", name, m->args.is_dry_run ? "true" :
		    "false", (unsigned long long)end.count);
		return code;
	}
	output_text(o, span_str(m->args.operands[0]));
	buf_addf(&o->b, " %s%s: ", m->args.is_dry_run ? "would be " : "",
	    done);
	output_count(o, end.count, noun);
	buf_add_byte(&o->b, '\n');
	return code;
}

int
cmd_dest_suspend(struct mtactl *m)
{
	return change(m, CTL_DEST_SUSPEND, "suspend", "suspended",
	    "destination");
}

int
cmd_dest_resume(struct mtactl *m)
{
	return change(m, CTL_DEST_RESUME, "resume", "resumed", "suspension");
}

int
cmd_dest_reset(struct mtactl *m)
{
	return change(m, CTL_DEST_RESET, "reset", "reset", "destination");
}
