/*
 * `message history` and `message explain`.  An id may be cut short: it stands
 * for the only message that begins like that.
 */
#include "common/base/b32.h"
#include "common/os/clock.h"
#include "mtactl/client.h"
#include "mtactl/events.h"
#include "mtactl/explain.h"

#include <string.h>

/* Ids sort as their texts do: those that begin with WORD lie between it filled
 * up with the first character and with the last. */
static bool
read_range(const char *word, uint64_t *low, uint64_t *high)
{
	char text[2][B32_LENGTH];
	size_t n = strlen(word);

	if (n == 0 || n > B32_LENGTH)
		return false;
	memset(text[0], '0', B32_LENGTH);
	memset(text[1], 'z', B32_LENGTH);
	memcpy(text[0], word, n);
	memcpy(text[1], word, n);
	/* no id is 0 */
	if (b32_decode(span_of(text[0], B32_LENGTH), low) != OK ||
	    b32_decode(span_of(text[1], B32_LENGTH), high) != OK)
		return false;
	*low += *low == 0;
	return true;
}

static int
ask(struct mtactl *m, struct msg *request, uint64_t *low, uint64_t *high,
    client_on_msg *on_answer, void *ctx)
{
	const char *id = m->args.operands[0];
	struct client *client = NULL;
	struct msg_ctl_end end;
	int code;

	if (!read_range(id, low, high))
		return mtactl_fail(MTACTL_USAGE, "'%.40s' is no queue id; one "
		    "has 13 digits and letters, as in `mtactl queue list`",
		    id);
	code = client_open(m, &client);
	if (code == MTACTL_DONE)
		code = client_ask(client, request, on_answer, ctx, &end);
	if (code == MTACTL_DONE)
		code = client_result(&end);
	client_close(&client);
	return code;
}

static void
on_event(void *ctx, const struct msg *m)
{
	if (m->type == MSG_ctl_event)
		events_show(ctx, &m->ctl_event);
}

int
cmd_message_history(struct mtactl *m)
{
	struct msg request = { .type = MSG_ctl_history };
	struct events events;

	events_init(&events, &m->out, (uint64_t)clock_wall_ms());
	return ask(m, &request, &request.ctl_history.low,
	    &request.ctl_history.high, on_event, &events);
}

static void
on_explanation(void *ctx, const struct msg *m)
{
	struct explain *x = ctx;

	if (m->type == MSG_ctl_state)
		explain_state(x, &m->ctl_state);
	else if (m->type == MSG_ctl_why)
		explain_why(x, &m->ctl_why);
	else if (m->type == MSG_ctl_event)
		explain_event(x, &m->ctl_event);
}

int
cmd_message_explain(struct mtactl *m)
{
	struct msg request = { .type = MSG_ctl_explain };
	struct explain explain;
	int code;

	explain_init(&explain, &m->out, (uint64_t)clock_wall_ms());
	code = ask(m, &request, &request.ctl_explain.low,
	    &request.ctl_explain.high, on_explanation, &explain);
	explain_end(&explain);
	explain_clear(&explain);
	return code;
}
