/* `route explain`, for people and for programs. */
#include "mtactl/route_view.h"

#include <criterion/criterion.h>

static struct output o;
static struct route_view view;
static struct buf hops, notes;

static const uint8_t client[] = { 192, 0, 2, 7 };

static const struct msg_ctl_route question = {
	.recipient = SPAN_LIT("bob@b.example"),
	.sender = SPAN_LIT("ann@a.example"),
	.client = { client, sizeof(client) }, .user = SPAN_LIT("ann"),
	.header = SPAN_LIT("X-A: b\r\nX-C: \033d\r\n"), .size = 2048,
};

static const struct msg_ctl_route_rule misses[] = {
	{ .index = 2, .line = 12, .miss = ROUTE_MISS_TO,
	    .file = SPAN_LIT("/etc/mtad/mtad.yaml"),
	    .pattern = SPAN_LIT("c.example") },
	{ .index = 3, .line = 13, .miss = ROUTE_MISS_FROM,
	    .pattern = SPAN_LIT("<>") },
	{ .index = 0, .line = 3, .miss = ROUTE_MISS_RELEASED,
	    .pattern = SPAN_LIT("hold") },
};

static const struct msg_ctl_route_found found = {
	.index = 4, .line = 14, .rules = 9,
	.file = SPAN_LIT("/etc/mtad/mtad.yaml"),
	.to = SPAN_LIT("b.example"), .from = SPAN_LIT("*"),
	.users = SPAN_LIT("a*, b*"), .sizes = SPAN_LIT("<=1MiB"),
	.decisive = 1U << ROUTE_MISS_USER | 1U << ROUTE_MISS_SIZE |
	    1U << ROUTE_MISS_HEADER,
	.via = SPAN_LIT("mx"), .tls = SPAN_LIT("required"),
	.destination = SPAN_LIT("b.example;tls=required"),
	.first_retry_ms = 60000, .max_retry_ms = 3600000,
	.warn_ms = 14400000, .expire_ms = 432000000, .connections = 20,
	.window = 512, .rate_count = 1, .rate_ms = 10000,
	.failures = 2, .failed_at = 1000000, .blocked_at = 1060000,
	.reason = SPAN_LIT("421 \033 busy"),
};

static void
put_hops(struct msg_route_hops *m)
{
	const struct msg_route_hop rows[] = {
		{ .host = SPAN_LIT("mx1.b.example"),
		    .address = SPAN_LIT("192.0.2.1:25"), .preference = 10,
		    .flags = ROUTE_HOP_MX | ROUTE_HOP_DRAWN,
		    .tls = SPAN_LIT("required"),
		    .tls_why = SPAN_LIT("the route says so") },
		{ .host = SPAN_LIT("relay.example"),
		    .address = SPAN_LIT("192.0.2.2:465"),
		    .flags = ROUTE_HOP_TLS | ROUTE_HOP_BEYOND,
		    .user = SPAN_LIT("us"), .tls = SPAN_LIT("verified"),
		    .tls_why = SPAN_LIT("smtps") },
	};
	const struct msg_route_note note = {
		.host = SPAN_LIT("mx3.b.example"),
		.address = SPAN_LIT("127.0.0.1"),
		.text = SPAN_LIT("refused: loopback"),
	};

	buf_init(&hops, 4096);
	buf_init(&notes, 4096);
	msg_put_route_hop(&hops, &rows[0]);
	msg_put_route_hop(&hops, &rows[1]);
	msg_put_route_note(&notes, &note);
	m->hops = (struct msg_list){ 2, buf_span(&hops) };
	m->notes = (struct msg_list){ 1, buf_span(&notes) };
	m->helo = SPAN_LIT("out.example");
}

static void
begin_with(bool is_json, const struct msg_ctl_route *asked)
{
	memset(&o, 0, sizeof(o));
	o.is_json = is_json;
	buf_init(&o.b, 65536);
	route_view_init(&view, &o, 1000000, asked);
}

static void
begin(bool is_json)
{
	begin_with(is_json, &question);
}

static void
finish(const struct route_other *other)
{
	route_view_end(&view, other);
	buf_add(&o.b, "", 1);
	cr_assert_not(buf_failed(&o.b));
	if (o.is_json)
		cr_expect_eq(json_done(&view.json), OK);
}

static void
end(void)
{
	route_view_clear(&view);
	buf_clear(&o.b);
	buf_clear(&hops);
	buf_clear(&notes);
}

static bool
has(const char *words)
{
	return strstr((const char *)o.b.p, words) != NULL;
}

static void
tell_all(bool is_json)
{
	static const struct route_other other = { "/tmp/new.yaml", 3, 1,
	    SPAN_LIT("b.example") };
	struct msg_route_hops m = { .result = ROUTE_RESULT_DONE };

	begin(is_json);
	route_view_rule(&view, &misses[0]);
	route_view_rule(&view, &misses[1]);
	route_view_found(&view, &found);
	put_hops(&m);
	route_view_hops(&view, &m);
	finish(&other);
}

Test(route_view, for_people)
{
	tell_all(false);
	cr_expect(has("from <ann@a.example> to <bob@b.example>, of 2.0KiB, by "
	    "client 192.0.2.7, by user ann\n"));
	cr_expect(has("2 rules before those that follow"));
	cr_expect(has("/etc/mtad/mtad.yaml:12: rule 3: not the recipient: "
	    "c.example\n"));
	cr_expect(has(" rule 4: not the sender: <>\n"));
	cr_expect(has("/etc/mtad/mtad.yaml:14: rule 5 of 9, to b.example, "
	    "from *, user a*, b*, size <=1MiB\n"));
	cr_expect_not(has("not said"), "all was");
	cr_expect(has("b.example;tls=required\n"));
	cr_expect(has("after 1m"));
	cr_expect(has("20 connections, 512 messages under way, 1 in 10s\n"));
	cr_expect(has("failed 2 times, backs off for 1m"));
	cr_expect_not(has("\033"), "foreign words are escaped");
	cr_expect(has("  1. mx1.b.example"));
	cr_expect(has(" smtp, preference 10, by lot\n     TLS required: the "
	    "route says so\n"));
	cr_expect(has("smtps, not in the first round\n     TLS verified: "
	    "smtps; as user us\n"));
	cr_expect(has("     mx3.b.example 127.0.0.1: refused: loopback\n"));
	cr_expect(has("/tmp/new.yaml:3: rule 1, another destination: "
	    "b.example\n"));
	end();
}

Test(route_view, for_programs)
{
	tell_all(true);
	cr_expect(has("{\"v\":1,\"recipient\":\"bob@b.example\","
	    "\"sender\":\"ann@a.example\",\"client\":\"192.0.2.7\","
	    "\"user\":\"ann\",\"size\":2048,\"headers\":[\"X-A: b\","));
	cr_expect(has("\"before\":[{\"number\":3,\"line\":12,\"miss\":\"to\","
	    "\"pattern\":\"c.example\"},"));
	cr_expect(has("\"file\":\"/etc/mtad/mtad.yaml\",\"rules\":9,"
	    "\"rule\":{\"number\":5,\"line\":14,\"to\":\"b.example\","
	    "\"from\":\"*\",\"client\":null,\"user\":\"a*, b*\","
	    "\"size\":\"<=1MiB\",\"header\":null,\"via\":\"mx\"},"
	    "\"decisive\":[\"user\",\"size\",\"header\"],"
	    "\"action\":\"send\",\"refusal\":null,\"destination\":"
	    "\"b.example;tls=required\""));
	cr_expect(has("\"hosts\":[{\"host\":\"mx1.b.example\",\"address\":"
	    "\"192.0.2.1:25\",\"protocol\":\"smtp\",\"preference\":10,"
	    "\"user\":null,\"tls\":\"required\","));
	cr_expect(has("\"by_lot\":true,\"beyond_round\":false,"
	    "\"skipped\":false}"));
	cr_expect(has("\"protocol\":\"smtps\",\"preference\":null"));
	cr_expect(has("\"left_out\":[{\"host\":\"mx3.b.example\","));
	cr_expect(has("\"no_host\":null"));
	cr_expect(has("\"what_if\":{\"file\":\"/tmp/new.yaml\",\"rule\":"
	    "{\"number\":1,\"line\":3},\"destination\":\"b.example\","
	    "\"moves\":true}}\n"));
	end();
}

static const struct msg_ctl_route_found by_mx = {
	.index = UINT32_MAX, .rules = 9, .to = SPAN_LIT("*"),
	.from = SPAN_LIT("*"), .tls = SPAN_LIT("none"),
	.destination = SPAN_LIT("b.example"),
};

static const struct msg_route_hops nowhere = {
	.is_permanent = 1, .status = SPAN_LIT("5.1.10"),
	.text = SPAN_LIT("takes no mail"),
};

Test(route_view, no_rule_and_no_host)
{
	begin(false);
	route_view_found(&view, &by_mx);
	route_view_hops(&view, &nowhere);
	finish(NULL);
	cr_expect(has("none of 9: by MX\n"));
	cr_expect(has("none: such mail is returned: 5.1.10 takes no mail\n"));
	cr_expect_not(view.has_host);
	end();
	begin(true);
	route_view_found(&view, &by_mx);
	route_view_hops(&view, &nowhere);
	finish(NULL);
	cr_expect(has("\"rule\":null"));
	cr_expect(has("\"hosts\":[],\"left_out\":[],\"no_host\":"
	    "{\"permanent\":true,\"status\":\"5.1.10\",\"text\":"
	    "\"takes no mail\"}}\n"));
	end();
}

static const struct msg_ctl_route little = {
	.recipient = SPAN_LIT("bob@b.example"), .is_released = 1,
};

static const struct msg_ctl_route_found refused = {
	.index = 1, .line = 5, .rules = 9, .file = SPAN_LIT("/f"),
	.to = SPAN_LIT("*"), .from = SPAN_LIT("*"),
	.via = SPAN_LIT("refuse"), .deed = ROUTE_DEED_REFUSE_RCPT,
	.status = SPAN_LIT("5.1.6"), .text = SPAN_LIT("moved \033"),
	.decisive = 1U << ROUTE_MISS_CLIENT | 1U << ROUTE_MISS_HEADER,
	.tls = SPAN_LIT("none"), .destination = SPAN_LIT("refuse:"),
};

/* No host is needed; and what nobody has said is asked for. */
Test(route_view, what_is_done_here)
{
	begin_with(false, &little);
	route_view_rule(&view, &misses[2]);
	route_view_found(&view, &refused);
	finish(NULL);
	cr_expect(has("of 0B, released by an operator\n"));
	cr_expect(has("rule 1: an operator has released it: hold\n"));
	cr_expect(has("--client, --header: rules up to here ask for "
	    "them\n"));
	cr_expect(has("refused in the reply to RCPT: 550 5.1.6 moved "));
	cr_expect_not(has("\033"));
	cr_expect_not(has("after "), "nothing is tried again");
	cr_expect(view.has_host);
	end();
	begin_with(true, &little);
	route_view_found(&view, &refused);
	finish(NULL);
	cr_expect(has("\"released\":true"));
	cr_expect(has("\"action\":\"refuse-at-rcpt\",\"refusal\":"
	    "{\"status\":\"5.1.6\",\"text\":\"moved \\u001b\"}"));
	cr_expect(has("\"hosts\":[]}\n"));
	end();
}

/* Each was there, and each lacks what is demanded. */
Test(route_view, all_are_skipped)
{
	struct msg_route_hops m = { .text = SPAN_LIT("no TLSA record"),
		.status = SPAN_LIT("4.7.4") };

	begin(false);
	route_view_found(&view, &found);
	put_hops(&m);
	route_view_hops(&view, &m);
	finish(NULL);
	cr_expect(has("none now: such mail waits: 4.7.4 no TLSA record\n"));
	cr_expect(has("  1. mx1.b.example"));
	cr_expect_not(view.has_host);
	end();
}

/* Nobody could be asked for hosts; or queued died at once. */
Test(route_view, half_an_answer_is_json)
{
	begin(true);
	route_view_found(&view, &by_mx);
	finish(NULL);
	cr_expect(has("\"hosts\":null}\n"));
	end();
	begin(true);
	route_view_rule(&view, &misses[0]);
	finish(NULL);
	cr_expect(has("],\"hosts\":null}\n"));
	end();
}
