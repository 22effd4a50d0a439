/*
 * `sts list` and `sts forget`.  What is listed comes as fetchd has written it.
 */
#include "common/base/mtime.h"
#include "common/os/clock.h"
#include "common/sts/sts_cache.h"
#include "mtactl/client.h"

enum { NAME_WIDTH = 30, MODE_WIDTH = 8, ID_WIDTH = 16, AGE_WIDTH = -9 };

/* ---- for programs ---- */

static void
json_hosts(struct json *j, struct span mx)
{
	json_key(j, "mx");
	json_array(j);
	while (mx.n > 0) {
		size_t end = span_find(mx, '\n');

		json_string(j, span_sub(mx, 0, end));
		mx = span_from(mx, end + 1);
	}
	json_array_end(j);
}

static void
json_row(struct output *o, const struct sts_entry *e)
{
	struct json j;

	json_init(&j, &o->b);
	json_object(&j);
	json_key(&j, "v");
	json_u64(&j, 1);
	json_key(&j, "domain");
	json_str(&j, e->domain);
	json_key(&j, "mode");
	json_str(&j, sts_mode_name(e->mode));
	json_key(&j, "id");
	json_str(&j, e->id);
	output_json_time(&j, "fetched_at", (uint64_t)e->fetched_at_ms);
	output_json_time(&j, "expires_at", (uint64_t)e->expires_at_ms);
	json_hosts(&j, e->mx);
	json_object_end(&j);
	if (json_done(&j) != OK)
		o->is_failed = true;
	buf_add_byte(&o->b, '\n');
}

/* ---- for people ---- */

static void
put_heading(struct output *o)
{
	output_coloured(o, OUTPUT_BOLD, "DOMAIN", NAME_WIDTH);
	output_coloured(o, OUTPUT_BOLD, "MODE", MODE_WIDTH);
	output_coloured(o, OUTPUT_BOLD, "ID", ID_WIDTH);
	output_coloured(o, OUTPUT_BOLD, "AGE", AGE_WIDTH);
	output_coloured(o, OUTPUT_BOLD, "HOLDS", AGE_WIDTH);
	buf_add_str(&o->b, "  HOSTS\n");
}

static void
put_hosts(struct output *o, struct span mx)
{
	while (mx.n > 0) {
		size_t end = span_find(mx, '\n');

		buf_add_byte(&o->b, ' ');
		output_text(o, span_sub(mx, 0, end));
		mx = span_from(mx, end + 1);
	}
}

static void
put_row(struct output *o, const struct sts_entry *e)
{
	const uint64_t now = (uint64_t)clock_wall_ms();

	output_padded(o, span_str(e->domain), NAME_WIDTH);
	output_padded(o, span_str(sts_mode_name(e->mode)), MODE_WIDTH);
	output_padded(o, span_str(e->id), ID_WIDTH);
	output_age(o, (uint64_t)e->fetched_at_ms, now, AGE_WIDTH);
	output_age(o, now, (uint64_t)e->expires_at_ms, AGE_WIDTH);
	buf_add_byte(&o->b, ' ');
	put_hosts(o, e->mx);
	buf_add_byte(&o->b, '\n');
}

static void
on_row(void *ctx, const struct msg *m)
{
	struct mtactl *mtactl = ctx;
	struct sts_entry e;

	if (m->type != MSG_ctl_sts_row ||
	    sts_entry_read(m->ctl_sts_row.record, &e) != OK)
		return;
	if (mtactl->out.is_json)
		json_row(&mtactl->out, &e);
	else
		put_row(&mtactl->out, &e);
	output_flush(&mtactl->out);
}

/* ---- verbs ---- */

static int
ask(struct mtactl *m, enum ctl_sts_verb verb, struct msg_ctl_end *end)
{
	struct msg request = { .type = MSG_ctl_sts };
	struct client *client = NULL;
	int code = client_open(m, &client);

	request.ctl_sts.verb = (uint8_t)verb;
	if (m->args.operand_count > 0)
		request.ctl_sts.domain = span_str(m->args.operands[0]);
	if (code == MTACTL_DONE)
		code = client_ask(client, &request, on_row, m, end);
	if (code == MTACTL_DONE)
		code = client_result(end);
	end->text = SPAN_NONE;		/* goes with the client */
	client_close(&client);
	return code;
}

int
cmd_sts_list(struct mtactl *m)
{
	struct msg_ctl_end end;

	if (!m->out.is_json)
		put_heading(&m->out);
	return ask(m, CTL_STS_LIST, &end);
}

int
cmd_sts_forget(struct mtactl *m)
{
	struct msg_ctl_end end;
	int code = ask(m, CTL_STS_FORGET, &end);

	if (code == MTACTL_DONE && m->out.is_json)
		output_line(&m->out, "{\"v\":1,\"count\":%llu}",
		    (unsigned long long)end.count);
	else if (code == MTACTL_DONE)
		output_line(&m->out, "the next mail fetches the policy of %s",
		    m->args.operands[0]);
	return code;
}
