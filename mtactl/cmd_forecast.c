/*
 * `forecast`: when will the present queue be empty?
 */
#include "mtactl/client.h"
#include "mtactl/forecast.h"

static void
on_answer(void *ctx, const struct msg *m)
{
	if (m->type == MSG_ctl_forecast_all)
		forecast_all(ctx, &m->ctl_forecast_all);
	else if (m->type == MSG_ctl_forecast_dest)
		forecast_dest(ctx, &m->ctl_forecast_dest);
}

int
cmd_forecast(struct mtactl *m)
{
	const struct msg request = { .type = MSG_ctl_forecast };
	struct client *client = NULL;
	struct forecast_view view;
	struct msg_ctl_end end;
	int code = client_open(m, &client);

	forecast_init(&view, &m->out);
	if (code == MTACTL_DONE)
		code = client_ask(client, &request, on_answer, &view, &end);
	if (code == MTACTL_DONE)
		code = client_result(&end);
	if (code == MTACTL_DONE)
		forecast_end(&view);
	client_close(&client);
	return code;
}
