/* Destinations, for people and for programs. */
#include "mtactl/dest.h"

#include <criterion/criterion.h>

#define NOW	UINT64_C(1800000000000)		/* 2027-01-15T08:00:00Z */
#define MINUTE	UINT64_C(60000)

static struct output o;
static struct buf limits;
static struct msg_ctl_dest_row row;

static void
setup(void)
{
	const struct msg_ctl_dest_limit limit = { .name = SPAN_LIT("rate"),
	    .value = SPAN_LIT("6/1m"), .source = SPAN_LIT("learned") };

	memset(&o, 0, sizeof(o));
	buf_init(&o.b, 65536);
	buf_init(&limits, 4096);
	msg_put_ctl_dest_limit(&limits, &limit);
	row = (struct msg_ctl_dest_row){ .name = SPAN_LIT("example.net"),
	    .state = DEST_SUSPENDED, .is_here = 1,
	    .since_at = NOW - 5 * MINUTE, .until_at = NOW + 4 * MINUTE,
	    .why = SPAN_LIT("by an operator (uid 0): \033[31m"),
	    .stop = SPAN_LIT("*.net"), .route = SPAN_LIT("route:mx"),
	    .window = 4, .window_max = 512, .rate_count = 6,
	    .rate_ms = 60000, .leased = 1, .ready = 2, .waiting = 3,
	    .indexed = 70, .failures = 2, .failed_at = NOW - MINUTE,
	    .status = SPAN_LIT("4.4.1"), .text = SPAN_LIT("no answer"),
	    .group = SPAN_LIT("big"), .group_members = 5,
	    .group_leased = 9, .group_window = 20 };
	row.limits.n = 1;
	row.limits.bytes = buf_span(&limits);
}

static void
teardown(void)
{
	buf_clear(&o.b);
	buf_clear(&limits);
}

TestSuite(dest, .init = setup, .fini = teardown);

static void
expect(const char *text)
{
	cr_expect(span_equal(buf_span(&o.b), span_str(text)), "%.*s",
	    (int)o.b.n, o.b.p);
	buf_reset(&o.b);
}

Test(dest, list_for_people)
{
	dest_list_head(&o);
	dest_list(&o, &row, NOW);
	row.state = DEST_BACK_OFF;
	row.rate_count = 0;
	dest_list(&o, &row, NOW);
	row.state = DEST_OK;
	row.until_at = 0;
	dest_list(&o, &row, NOW);
	expect("STATE      DESTINATION                        LEASED   READY"
	    " WAITING     RATE    UNTIL\n"
	    "suspended  example.net                             1       2"
	    "       3     6/1m    4m00s\n"
	    "           by an operator (uid 0): \\x1b[31m (as *.net)\n"
	    "back_off   example.net                             1       2"
	    "       3        -    4m00s\n"
	    "           4.4.1 no answer\n"
	    "ok         example.net                             1       2"
	    "       3        -        -\n");
}

Test(dest, show_for_people)
{
	dest_show(&o, &row, NOW);
	expect("destination example.net\n"
	    "state       suspended\n"
	    "why         by an operator (uid 0): \\x1b[31m\n"
	    "resume      *.net\n"
	    "since       2027-01-15T07:55:00.000Z (5m00s ago)\n"
	    "until       2027-01-15T08:04:00.000Z (in 4m00s)\n"
	    "route       route:mx\n"
	    "queued      76 messages: 1 under way, 2 due, 3 later, 70 in "
	    "the index\n"
	    "window      4 under way at once, never more than 512\n"
	    "rate        6/1m\n"
	    "failed      2 times, last 2027-01-15T07:59:00.000Z "
	    "(1m00s ago)\n"
	    "it said     4.4.1 no answer\n"
	    "group       big, with 5 destinations, 9 under way\n"
	    "\n"
	    "LIMIT                    VALUE       FROM\n"
	    "rate                     6/1m        learned\n");
}

/* One that nobody sends to: what is suspended, and no more. */
Test(dest, show_of_one_without_mail)
{
	row = (struct msg_ctl_dest_row){ .name = SPAN_LIT("x.example"),
	    .state = DEST_SUSPENDED, .stop = SPAN_LIT("x.example"),
	    .why = SPAN_LIT("by its circuit breaker") };
	dest_show(&o, &row, NOW);
	expect("destination x.example\n"
	    "state       suspended until it is resumed\n"
	    "why         by its circuit breaker\n"
	    "queued      0 messages\n");
}

Test(dest, for_programs)
{
	o.is_json = true;
	dest_list_head(&o);
	dest_list(&o, &row, NOW);
	expect("{\"v\":1,\"destination\":\"example.net\","
	    "\"state\":\"suspended\",\"why\":\"by an operator (uid 0): "
	    "\\u001b[31m\",\"suspended_as\":\"*.net\","
	    "\"since\":\"2027-01-15T07:55:00.000Z\","
	    "\"until\":\"2027-01-15T08:04:00.000Z\","
	    "\"route\":\"route:mx\",\"leased\":1,\"ready\":2,\"waiting\":3,"
	    "\"window\":4,\"window_max\":512,"
	    "\"rate\":{\"messages\":6,\"period_ms\":60000},"
	    "\"failures\":2,\"failed\":\"2027-01-15T07:59:00.000Z\","
	    "\"status\":\"4.4.1\",\"text\":\"no answer\","
	    "\"group\":{\"name\":\"big\",\"destinations\":5,\"leased\":9,"
	    "\"window_max\":20,\"rate\":null}}\n");
	row.group = SPAN_NONE;
	row.state = 77;
	dest_show(&o, &row, NOW);
	buf_add(&o.b, "", 1);
	cr_expect(strstr((const char *)o.b.p, "\"group\":null,\"queued\":76,"
	    "\"limits\":[{\"name\":\"rate\",\"value\":\"6/1m\","
	    "\"source\":\"learned\"}]}\n") != NULL, "%s", o.b.p);
	cr_expect(strstr((const char *)o.b.p, "\"state\":\"unknown\"") !=
	    NULL);
	cr_expect_not(o.is_failed);
}
