/*
 * `route explain`: the question goes to queued, which has the rules in effect,
 * and from there to a deliverd, which has the hosts.  When --config names
 * another file than the running mtad has read, that file's rules are asked as
 * well, here.
 *
 * A selection instead of an address, or --config alone, asks about the queue,
 * as `route diff` does.
 */
#include "common/base/ipaddr.h"
#include "common/base/units.h"
#include "common/os/clock.h"
#include "mtactl/client.h"
#include "mtactl/route_new.h"
#include "mtactl/route_view.h"

#include <sys/stat.h>

enum { HEADER_MAX = 65536 };		/* bytes, as in messages.def */

struct explain {
	struct mtactl *m;
	struct route_view view;
	struct msg_ctl_route question;
	struct buf header;
	uint8_t client[16];
	char file[4096];		/* that the running mtad has read */
};

/* ---- the question ---- */

/* Without angle brackets, if somebody has copied them. */
static struct span
bare(const char *address)
{
	struct span s = span_str(address);

	if (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>')
		return span_sub(s, 1, s.n - 2);
	return s;
}

/* Has a domain, and is no word of a selection: only what is quoted may hold
 * a colon in front of its @. */
static bool
is_address(const char *text)
{
	struct span s = bare(text);
	size_t at = span_find(s, '@');

	return at > 0 && at + 1 < s.n &&
	    (s.p[0] == '"' || span_find(span_sub(s, 0, at), ':') == at);
}

static int
take_client(struct explain *e, const char *text)
{
	struct ipaddr ip;

	if (text == NULL)
		return MTACTL_DONE;
	if (ipaddr_parse(span_str(text), &ip) != OK)
		return mtactl_fail(MTACTL_USAGE,
		    "--client needs an address such as 192.0.2.1");
	memcpy(e->client, ip.bytes, sizeof(e->client));
	e->question.client = span_of(e->client,
	    ip.family == IPADDR_4 ? 4 : 16);
	return MTACTL_DONE;
}

static int
take_size(struct explain *e, const char *text)
{
	if (text == NULL || units_parse_bytes(span_str(text),
	    &e->question.size) == OK)
		return MTACTL_DONE;
	return mtactl_fail(MTACTL_USAGE,
	    "--size needs a size such as 4096, 20KiB or 1M");
}

static int
take_header(struct explain *e, const char *text)
{
	struct span field = span_str(text);
	size_t colon = span_find(field, ':');

	if (colon == 0 || colon == field.n ||
	    span_find(field, '\n') < field.n ||
	    span_find(field, '\r') < field.n)
		return mtactl_fail(MTACTL_USAGE,
		    "--header needs a field such as 'Subject: x'");
	buf_add_span(&e->header, field);
	buf_add_str(&e->header, "\r\n");
	if (buf_failed(&e->header))
		return mtactl_fail(MTACTL_USAGE, "the header fields are "
		    "longer than %d bytes", HEADER_MAX);
	e->question.header = buf_span(&e->header);
	return MTACTL_DONE;
}

static int
take_options(struct explain *e, const struct args_route *a)
{
	struct msg_ctl_route *q = &e->question;
	int code = take_client(e, a->client);

	if (code == MTACTL_DONE)
		code = take_size(e, a->size);
	for (size_t i = 0; code == MTACTL_DONE && i < a->header_count; i++)
		code = take_header(e, a->headers[i]);
	if (a->from != NULL)
		q->sender = bare(a->from);
	if (a->user != NULL)
		q->user = span_str(a->user);
	q->requires_tls = a->requires_tls;
	q->is_released = a->is_released;
	q->is_whole = a->is_all;
	if (code == MTACTL_DONE && (q->recipient.n > 1024 ||
	    q->sender.n > 1024 || q->user.n > 255))
		return mtactl_fail(MTACTL_USAGE, "no mail has such a long "
		    "address");
	return code;
}

/* ---- the answer ---- */

static void
on_answer(void *ctx, const struct msg *m)
{
	struct explain *e = ctx;

	if (m->type == MSG_ctl_route_rule) {
		route_view_rule(&e->view, &m->ctl_route_rule);
	} else if (m->type == MSG_ctl_route_found) {
		(void)span_copy(m->ctl_route_found.file, e->file,
		    sizeof(e->file));
		route_view_found(&e->view, &m->ctl_route_found);
	} else if (m->type == MSG_route_hops) {
		route_view_hops(&e->view, &m->route_hops);
	}
}

/* What can't be looked at is taken for the same: no what-if is made up. */
static bool
is_same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) != 0 || stat(b, &y) != 0 ||
	    (x.st_dev == y.st_dev && x.st_ino == y.st_ino);
}

/* The file whose rules are asked too, or NULL. */
static const char *
find_other(const struct explain *e)
{
	const struct args *args = &e->m->args;

	if (args->other_config != NULL)
		return args->other_config;
	if (args->socket != NULL || e->file[0] == '\0' ||
	    is_same_file(args->config, e->file))
		return NULL;
	return args->config;
}

static int
end(struct explain *e)
{
	const char *path = e->view.has_found ? find_other(e) : NULL;
	const struct msg_ctl_route *q = &e->question;
	struct route_facts facts = {
		.recipient = q->recipient, .sender = q->sender,
		.client = q->client, .user = q->user, .size = q->size,
		.is_released = q->is_released != 0,
	};
	struct route_new *other = NULL;
	struct route_other told = { 0 };
	struct buf key, notes;
	int code = MTACTL_DONE;

	buf_init(&key, ROUTE_KEY_MAX);
	buf_init(&notes, HEADER_MAX);
	if (path != NULL)
		code = route_new_open(path, &other);
	if (other != NULL) {
		told.file = route_new_file(other);
		route_new_notes(other, q->header, &notes);
		facts.headers = buf_span(&notes);
		route_new_find(other, &facts, q->requires_tls != 0,
		    &told.number, &told.line, &key);
		told.destination = buf_span(&key);
	}
	route_view_end(&e->view, other != NULL ? &told : NULL);
	route_new_close(&other);
	buf_clear(&key);
	buf_clear(&notes);
	return code;
}

static int
ask(struct explain *e)
{
	struct msg request = { .type = MSG_ctl_route };
	struct client *client = NULL;
	struct msg_ctl_end answer;
	int code = client_open(e->m, &client), later;

	if (code != MTACTL_DONE)
		return code;
	request.ctl_route = e->question;
	route_view_init(&e->view, &e->m->out, (uint64_t)clock_wall_ms(),
	    &e->question);
	code = client_ask(client, &request, on_answer, e, &answer);
	/* also when no deliverd could be asked: the rule is known then */
	later = end(e);
	if (code == MTACTL_DONE)
		code = client_result(&answer);
	if (code == MTACTL_DONE)
		code = later;
	if (code == MTACTL_DONE && !e->view.has_host)
		code = MTACTL_NO_HOST;
	route_view_clear(&e->view);
	client_close(&client);
	return code;
}

static bool
has_address(const struct args *args)
{
	return args->operand_count == 1 && is_address(args->operands[0]);
}

/* For a question about the queue, whatever its selection. */
static bool
has_rules(const struct args *args)
{
	return args->other_config != NULL || args->operand_count > 0 ||
	    strcmp(args->config, ARGS_CONFIG) != 0;
}

int
cmd_route_explain(struct mtactl *m)
{
	struct explain e = { .m = m };
	int code;

	if (!has_address(&m->args) && !has_rules(&m->args))
		return mtactl_fail(MTACTL_USAGE, "`route explain` needs an "
		    "ADDRESS, or --config with the rules to be tried");
	if (!has_address(&m->args))
		return cmd_route_diff(m);
	if (m->args.limit != 0)
		return mtactl_fail(MTACTL_USAGE,
		    "--limit means nothing to an address");
	buf_init(&e.header, HEADER_MAX);
	e.question.recipient = bare(m->args.operands[0]);
	code = take_options(&e, &m->args.route);
	if (code == MTACTL_DONE)
		code = ask(&e);
	buf_clear(&e.header);
	return code;
}
