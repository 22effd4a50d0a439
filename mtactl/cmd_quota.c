/*
 * `quota list` and `quota reset`.
 */
#include <stdio.h>

#include "common/base/check.h"
#include "common/base/units.h"
#include "common/conf/conf_quota.h"
#include "mtactl/client.h"

enum { KIND_WIDTH = 9, NAME_WIDTH = 34, USE_WIDTH = -16, WAIT_WIDTH = -9 };

struct uses {
	struct msg_ctl_quota_use messages, recipients;
};

static struct uses
uses_of(const struct msg_ctl_quota_row *row)
{
	struct msg_list list = row->uses;
	struct uses uses = { .messages.used = 0 };

	if (msg_next_ctl_quota_use(&list, &uses.messages))
		(void)msg_next_ctl_quota_use(&list, &uses.recipients);
	return uses;
}

/* ---- for programs ---- */

static void
json_use(struct json *j, const char *key, const struct msg_ctl_quota_use *use)
{
	json_key(j, key);
	if (use->limit == 0) {
		json_null(j);
		return;
	}
	json_object(j);
	json_key(j, "used");
	json_u64(j, use->used);
	json_key(j, "limit");
	json_u64(j, use->limit);
	json_key(j, "period_ms");
	json_u64(j, use->period_ms);
	json_object_end(j);
}

static void
json_row(struct output *o, const struct msg_ctl_quota_row *row)
{
	const struct uses uses = uses_of(row);
	struct json j;

	json_init(&j, &o->b);
	json_object(&j);
	json_key(&j, "v");
	json_u64(&j, 1);
	json_key(&j, "kind");
	json_str(&j, conf_each_name(row->each));
	json_key(&j, "name");
	json_string(&j, row->name);
	json_use(&j, "messages", &uses.messages);
	json_use(&j, "recipients", &uses.recipients);
	json_key(&j, "refused");
	json_u64(&j, row->refused);
	json_key(&j, "wait_ms");
	json_u64(&j, row->wait_ms);
	json_object_end(&j);
	if (json_done(&j) != OK)
		o->is_failed = true;
	buf_add_byte(&o->b, '\n');
}

/* ---- for people ---- */

static void
put_heading(struct output *o)
{
	output_coloured(o, OUTPUT_BOLD, "KIND", KIND_WIDTH);
	output_coloured(o, OUTPUT_BOLD, "NAME", NAME_WIDTH);
	output_coloured(o, OUTPUT_BOLD, "MESSAGES", USE_WIDTH);
	output_coloured(o, OUTPUT_BOLD, "RECIPIENTS", USE_WIDTH);
	output_coloured(o, OUTPUT_BOLD, "WAITS", WAIT_WIDTH);
	output_coloured(o, OUTPUT_BOLD, "REFUSED", WAIT_WIDTH);
	buf_add_byte(&o->b, '\n');
}

/* 12 of 100/1h */
static void
put_use(struct output *o, const struct msg_ctl_quota_use *use)
{
	char period[UNITS_TEXT_SIZE], text[UNITS_TEXT_SIZE + 40];
	int n;

	if (use->limit == 0) {
		output_padded(o, SPAN_LIT("-"), USE_WIDTH);
		return;
	}
	units_format_ms(use->period_ms, period);
	n = snprintf(text, sizeof(text), "%u of %u/%s", use->used, use->limit,
	    period);
	MUST(n > 0 && (size_t)n < sizeof(text));
	output_padded(o, span_of(text, (size_t)n), USE_WIDTH);
}

static void
put_row(struct output *o, const struct msg_ctl_quota_row *row)
{
	const struct uses uses = uses_of(row);

	output_padded(o, span_str(conf_each_name(row->each)), KIND_WIDTH);
	output_padded(o, row->name, NAME_WIDTH);
	put_use(o, &uses.messages);
	put_use(o, &uses.recipients);
	if (row->wait_ms > 0)
		output_age(o, 0, row->wait_ms, WAIT_WIDTH);
	else
		output_padded(o, SPAN_LIT("-"), WAIT_WIDTH);
	output_number(o, row->refused, WAIT_WIDTH);
	buf_add_byte(&o->b, '\n');
}

static void
on_row(void *ctx, const struct msg *m)
{
	struct mtactl *mtactl = ctx;

	if (m->type != MSG_ctl_quota_row)
		return;
	if (mtactl->out.is_json)
		json_row(&mtactl->out, &m->ctl_quota_row);
	else
		put_row(&mtactl->out, &m->ctl_quota_row);
	output_flush(&mtactl->out);
}

/* ---- verbs ---- */

static int
ask(struct mtactl *m, const struct msg *request, struct msg_ctl_end *end)
{
	struct client *client = NULL;
	int code = client_open(m, &client);

	if (code == MTACTL_DONE)
		code = client_ask(client, request, on_row, m, end);
	if (code == MTACTL_DONE)
		code = client_result(end);
	end->text = SPAN_NONE;		/* goes with the client */
	client_close(&client);
	return code;
}

int
cmd_quota_list(struct mtactl *m)
{
	struct msg request = { .type = MSG_ctl_quota };
	struct msg_ctl_end end;

	request.ctl_quota.verb = CTL_QUOTA_LIST;
	if (!m->out.is_json)
		put_heading(&m->out);
	return ask(m, &request, &end);
}

/* KIND:NAME; the name may have colons. */
static bool
read_who(struct span text, struct msg_ctl_quota *out)
{
	size_t colon = span_find(text, ':');

	out->name = span_from(text, colon + 1);
	if (out->name.n == 0 || out->name.n > CONF_QUOTA_NAME_MAX)
		return false;
	for (unsigned i = 0; i < CONF_EACH_COUNT; i++) {
		if (!span_equal(span_sub(text, 0, colon),
		    span_str(conf_each_name(i))))
			continue;
		out->each = (uint8_t)i;
		return true;
	}
	return false;
}

int
cmd_quota_reset(struct mtactl *m)
{
	struct msg request = { .type = MSG_ctl_quota };
	struct msg_ctl_end end;
	int code;

	request.ctl_quota.verb = CTL_QUOTA_RESET;
	if (!read_who(span_str(m->args.operands[0]), &request.ctl_quota)) {
		(void)fprintf(stderr, "mtactl: quota reset: expected "
		    "user:NAME, client:ADDRESS or network:NETWORKS as `mtactl "
		    "quota list` has them\n");
		return MTACTL_USAGE;
	}
	code = ask(m, &request, &end);
	if (code == MTACTL_DONE && m->out.is_json)
		output_line(&m->out, "{\"v\":1,\"count\":%llu}",
		    (unsigned long long)end.count);
	else if (code == MTACTL_DONE)
		output_line(&m->out, "%s goes on", m->args.operands[0]);
	return code;
}
