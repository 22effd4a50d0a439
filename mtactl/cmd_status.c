/*
 * Questions to queued that have no selection: status, reload, log level.
 * queued answers the last two for the parent, to which mtactl has no way of
 * its own.
 */
#include "common/log/log.h"
#include "common/os/clock.h"
#include "mtactl/client.h"
#include "mtactl/status.h"

/* One question that needs no more than its request. */
static int
ask(struct mtactl *m, const struct msg *request, client_on_msg *on_msg,
    int (*on_end)(struct mtactl *m, const struct msg_ctl_end *end))
{
	struct client *client = NULL;
	struct msg_ctl_end end;
	int code = client_open(m, &client);

	if (code == MTACTL_DONE)
		code = client_ask(client, request, on_msg, m, &end);
	if (code == MTACTL_DONE)
		code = client_result(&end);
	if (code == MTACTL_DONE)
		code = on_end(m, &end);
	client_close(&client);
	return code;
}

static void
begin_json(struct json *j, struct output *o)
{
	json_init(j, &o->b);
	json_object(j);
	json_key(j, "v");
	json_u64(j, 1);
}

static void
end_json(struct json *j, struct output *o)
{
	json_object_end(j);
	buf_add_byte(&o->b, '\n');
}

/* ---- status ---- */

/* Printed from inside: the lists borrow the frame. */
static void
on_figures(void *ctx, const struct msg *m)
{
	struct mtactl *mtactl = ctx;

	if (m->type == MSG_ctl_figures)
		status_show(&mtactl->out, &m->ctl_figures,
		    (uint64_t)clock_wall_ms());
}

/* All was printed by on_figures(). */
static int
end_status(struct mtactl *m, const struct msg_ctl_end *end)
{
	(void)m;
	(void)end;
	return MTACTL_DONE;
}

int
cmd_status(struct mtactl *m)
{
	struct msg request = { .type = MSG_ctl_status };

	return ask(m, &request, on_figures, end_status);
}

/* ---- reload ---- */

/* The text has lines: the remarks about the file. */
static void
put_lines(struct output *o, struct span text)
{
	while (text.n > 0) {
		size_t n = span_find(text, '\n');

		output_text(o, span_sub(text, 0, n));
		buf_add_byte(&o->b, '\n');
		text = span_from(text, n + 1);
	}
}

/* A refused reload doesn't come here: its text was printed by
 * client_result(). */
static int
end_reload(struct mtactl *m, const struct msg_ctl_end *end)
{
	struct json j;

	if (!m->out.is_json) {
		put_lines(&m->out, end->text);
		output_line(&m->out, "the configuration was taken over");
		return MTACTL_DONE;
	}
	begin_json(&j, &m->out);
	json_key(&j, "done");
	json_bool(&j, true);
	json_key(&j, "text");
	json_string(&j, end->text);
	end_json(&j, &m->out);
	return MTACTL_DONE;
}

int
cmd_reload(struct mtactl *m)
{
	struct msg request = { .type = MSG_ctl_reload };

	return ask(m, &request, NULL, end_reload);
}

/* ---- log level ---- */

static int
end_level(struct mtactl *m, const struct msg_ctl_end *end)
{
	const char *level = m->args.operands[0];
	struct json j;

	(void)end;
	if (!m->out.is_json) {
		output_line(&m->out, "log level: %s", level);
		return MTACTL_DONE;
	}
	begin_json(&j, &m->out);
	json_key(&j, "level");
	json_str(&j, level);
	end_json(&j, &m->out);
	return MTACTL_DONE;
}

/* Checked here, so that a typo is answered without asking anybody.  The new
 * level goes to all processes and lasts until the next reload. */
int
cmd_log_level(struct mtactl *m)
{
	struct msg request = { .type = MSG_ctl_log_level };
	const char *level = m->args.operands[0];
	uint8_t i = 0;

	while (i < LOG_LEVEL_COUNT &&
	    strcmp(level, log_level_name((enum log_level)i)) != 0)
		i++;
	if (i == LOG_LEVEL_COUNT)
		return mtactl_fail(MTACTL_USAGE,
		    "a level is one of error, warning, info, debug");
	request.ctl_log_level.level = i;
	return ask(m, &request, NULL, end_level);
}
