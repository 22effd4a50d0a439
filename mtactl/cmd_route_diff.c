/*
 * `route diff`, and `route explain --config NEW.yaml SELECTION`: queued tells
 * of each selected message where its recipients belong by the rules in effect,
 * and here the rules of the file are asked the same.
 *
 * The first --config, or the only one, leads to the running mtad; the last one
 * has the rules that are tried.
 */
#include "mtactl/client.h"
#include "mtactl/route_diff.h"
#include "mtactl/route_new.h"

#define SELECTION_MAX 8192		/* as messages.def has it */

struct question {
	struct mtactl *m;
	struct route_new *rules;
	struct route_diff diff;
	struct buf key;
};

static void
on_place(struct question *q, const struct msg_ctl_placed *m)
{
	struct route_facts facts = {
		.sender = m->sender, .client = m->client, .user = m->user,
		.headers = m->headers, .size = m->size,
		.is_released = m->is_released != 0,
	};
	struct route_diff_row row = { .id = m->id, .sender = m->sender };
	struct msg_list places = m->places;
	struct msg_ctl_place place;
	uint32_t number, line;
	bool is_moved = false;

	while (msg_next_ctl_place(&places, &place)) {
		facts.recipient = row.recipient = place.address;
		row.before = place.destination;
		buf_reset(&q->key);
		route_new_find(q->rules, &facts, m->requires_tls != 0,
		    &number, &line, &q->key);
		row.after = buf_span(&q->key);
		if (route_diff_row(&q->diff, &row))
			is_moved = true;
	}
	route_diff_message(&q->diff, m->is_list != 0, is_moved);
}

static void
on_answer(void *ctx, const struct msg *m)
{
	if (m->type == MSG_ctl_placed)
		on_place(ctx, &m->ctl_placed);
}

static int
ask(struct question *q, struct span selection)
{
	struct msg request = { .type = MSG_ctl_queue };
	struct client *client = NULL;
	struct msg_ctl_end end;
	int code = client_open(q->m, &client);

	request.ctl_queue.verb = CTL_PLACES;
	request.ctl_queue.selection = selection;
	if (code == MTACTL_DONE)
		code = client_ask(client, &request, on_answer, q, &end);
	if (code == MTACTL_DONE)
		code = client_result(&end);
	client_close(&client);
	return code;
}

static int
run(struct question *q, struct span selection)
{
	const struct args *args = &q->m->args;
	const char *path = args->other_config != NULL ? args->other_config :
	    args->config;
	int code = route_new_open(path, &q->rules);

	if (code != MTACTL_DONE)
		return code;
	if (route_diff_init(&q->diff, &q->m->out, route_new_file(q->rules),
	    args->limit) != OK)
		return mtactl_fail(MTACTL_FAILED, "no memory");
	code = ask(q, selection);
	if (code == MTACTL_DONE) {
		route_diff_end(&q->diff);
		if (q->diff.moved_recipients > 0)
			code = MTACTL_DIFFERS;
	}
	return code;
}

/* Facts about one mail mean nothing to those that are there. */
static bool
has_facts(const struct args_route *a)
{
	return a->from != NULL || a->client != NULL || a->user != NULL ||
	    a->size != NULL || a->header_count > 0 || a->requires_tls ||
	    a->is_released || a->is_all;
}

int
cmd_route_diff(struct mtactl *m)
{
	struct question q = { .m = m };
	struct buf selection;
	int code;

	if (has_facts(&m->args.route))
		return mtactl_fail(MTACTL_USAGE, "--from, --client and the "
		    "like are about one address such as ann@example.org");
	buf_init(&selection, SELECTION_MAX);
	buf_init(&q.key, ROUTE_KEY_MAX);
	args_join(&m->args, 0, &selection);
	if (buf_failed(&selection))
		code = mtactl_fail(MTACTL_USAGE,
		    "the selection is longer than %d bytes", SELECTION_MAX);
	else
		code = run(&q, buf_span(&selection));
	route_diff_clear(&q.diff);
	route_new_close(&q.rules);
	buf_clear(&q.key);
	buf_clear(&selection);
	return code;
}
