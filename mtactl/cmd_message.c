/*
 * `message show`: the row, more recipients when they don't fit into one
 * message, the header, in this order, and printed as they come.
 */
#include "common/base/b32.h"
#include "common/os/clock.h"
#include "mtactl/client.h"
#include "mtactl/rows.h"

/* What has no part here is ignored. */
static void
on_answer(void *ctx, const struct msg *m)
{
	struct rows *rows = ctx;

	if (m->type == MSG_ctl_row)
		rows_show(rows, &m->ctl_row);
	else if (m->type == MSG_ctl_list)
		rows_show_list(rows, &m->ctl_list);
	else if (m->type == MSG_ctl_recipients)
		rows_show_more(rows, m->ctl_recipients.recipients);
	else if (m->type == MSG_ctl_head)
		rows_show_head(rows, m->ctl_head.bytes);
}

int
cmd_message_show(struct mtactl *m)
{
	struct msg request = { .type = MSG_ctl_message };
	const char *id = m->args.operands[0];
	struct client *client = NULL;
	struct msg_ctl_end end;
	struct rows rows;
	int code;

	if (b32_decode(span_str(id), &request.ctl_message.id) != OK)
		return mtactl_fail(MTACTL_USAGE, "'%.40s' is no queue id; one "
		    "has 13 digits and letters, as in `mtactl queue list`",
		    id);
	rows_init(&rows, &m->out, (uint64_t)clock_wall_ms());
	code = client_open(m, &client);
	if (code == MTACTL_DONE)
		code = client_ask(client, &request, on_answer, &rows, &end);
	if (code == MTACTL_DONE)
		code = client_result(&end);
	/* also after a failure in the middle: a JSON object that was begun is
	 * closed */
	rows_show_end(&rows);
	client_close(&client);
	return code;
}
