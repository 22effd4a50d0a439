/* Messages as people and as programs see them. */
#include "mtactl/rows.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define NOW	UINT64_C(1800000000000)		/* 2027-01-15T08:00:00Z */
#define MINUTE	UINT64_C(60000)

static struct output o;
static struct rows rows;
static struct buf recipients;
static struct msg_ctl_row row;

static void
add(const char *address, uint8_t state, uint32_t tries, uint16_t code,
    const char *text)
{
	struct msg_ctl_recipient r = { .address = span_str(address),
		.state = state, .tries = tries, .code = code };

	r.due_at = NOW + 4 * MINUTE;
	if (tries > 0) {
		r.last_at = NOW - 2 * MINUTE;
		r.host = SPAN_LIT("mx.example.net");
		r.text = span_str(text);
	}
	msg_put_ctl_recipient(&recipients, &r);
	row.recipients.n++;
	row.recipients.bytes = buf_span(&recipients);
}

static void
setup(void)
{
	memset(&o, 0, sizeof(o));
	buf_init(&o.b, 65536);
	buf_init(&recipients, 65536);
	rows_init(&rows, &o, NOW);
	row = (struct msg_ctl_row){ .id = 33, .state = STATE_DEFERRED,
		.sender = SPAN_LIT("ann@example.org"), .size = 4096,
		.arrived_at = NOW - 133 * MINUTE, .due_at = NOW + 4 * MINUTE,
		.expires_at = NOW + 100 * MINUTE, .tries = 3, .total = 3,
		.left = 2, .client = SPAN_LIT("192.0.2.1"),
		.helo = SPAN_LIT("app") };
	add("bob@example.net", STATE_DEFERRED, 3, 451, "4.7.1 come\nback");
	add("carol@example.net", STATE_DELIVERED, 1, 250, "2.0.0 ok");
	add("dave@x.test", STATE_ACTIVE, 0, 0, "");
}

static void
teardown(void)
{
	buf_clear(&o.b);
	buf_clear(&recipients);
}

TestSuite(rows, .init = setup, .fini = teardown);

static void
expect(const char *text)
{
	cr_expect(span_equal(buf_span(&o.b), span_str(text)), "%.*s",
	    (int)o.b.n, o.b.p);
	buf_reset(&o.b);
}

Test(rows, list_for_people)
{
	rows_list(&rows, &row);
	expect("ID                AGE     SIZE  STATE     TRIES    NEXT  "
	    "FROM -> TO\n"
	    "0000000000011   2h13m   4.0KiB  deferred      3   4m00s  "
	    "ann@example.org -> bob@example.net, dave@x.test\n"
	    "               451 4.7.1 come\\x0aback (mx.example.net)\n");
	row.sender = SPAN_NONE;
	row.state = STATE_HELD;
	row.left = 70;
	row.due_at = UINT64_MAX;
	row.recipients.n = 0;
	row.recipients.bytes = SPAN_NONE;
	rows_list(&rows, &row);
	expect("0000000000011   2h13m   4.0KiB  held          3       -  "
	    "<> ->  (+70)\n");
	rows_list_end(&rows);
	expect("-- 2 messages, 8.0KiB\n");
}

Test(rows, empty_list)
{
	rows_list_end(&rows);
	expect("-- 0 messages\n");
	o.is_json = true;
	rows_list_end(&rows);
	expect("");
}

Test(rows, many_recipients_are_counted)
{
	row.left = 5;
	for (int i = 0; i < 2; i++)
		add("eve@x.test", STATE_HELD, 0, 0, "");
	rows_list(&rows, &row);
	cr_expect_not_null(memmem(o.b.p, o.b.n, "eve@x.test (+2)\n", 16));
}

Test(rows, list_for_programs)
{
	o.is_json = true;
	row.sender = SPAN_LIT("an\"n\xff@example.org");
	row.left = 4;
	rows_list(&rows, &row);
	rows_list_end(&rows);
	expect("{\"v\":1,\"id\":\"0000000000011\",\"state\":\"deferred\","
	    "\"from\":\"an\\\"n\xef\xbf\xbd@example.org\",\"size\":4096,"
	    "\"arrived\":\"2027-01-15T05:47:00.000Z\","
	    "\"due\":\"2027-01-15T08:04:00.000Z\","
	    "\"expires\":\"2027-01-15T09:40:00.000Z\",\"tries\":3,"
	    "\"total\":3,\"left\":4,\"client\":\"192.0.2.1\","
	    "\"helo\":\"app\","
	    "\"recipients\":[\"bob@example.net\",\"dave@x.test\"],"
	    "\"more_recipients\":2}\n");
}

Test(rows, show_for_people)
{
	rows_show(&rows, &row);
	rows_show_head(&rows, SPAN_LIT("Subject: a\033b\r\n\tfolded\n"
	    "end\r\n\r\n"));
	rows_show_end(&rows);
	expect("message     0000000000011\n"
	    "state       deferred\n"
	    "from        ann@example.org\n"
	    "client      192.0.2.1 (app)\n"
	    "arrived     2027-01-15T05:47:00.000Z (2h13m ago)\n"
	    "next try    2027-01-15T08:04:00.000Z (in 4m00s)\n"
	    "expires     2027-01-15T09:40:00.000Z (in 1h40m)\n"
	    "size        4.0KiB\n"
	    "recipients  2 of 3 left\n"
	    "  bob@example.net  deferred, 3 tries, last 2m00s ago, "
	    "next in 4m00s\n"
	    "      451 4.7.1 come\\x0aback (mx.example.net)\n"
	    "  carol@example.net  delivered, 1 try, last 2m00s ago\n"
	    "      250 2.0.0 ok (mx.example.net)\n"
	    "  dave@x.test  active\n"
	    "header\n"
	    "  Subject: a\\x1bb\n"
	    "  \tfolded\n"
	    "  end\n");
}

#define SHOWN_HEAD \
	"{\"v\":1,\"id\":\"0000000000011\",\"state\":\"deferred\"," \
	"\"from\":\"ann@example.org\",\"size\":4096," \
	"\"arrived\":\"2027-01-15T05:47:00.000Z\"," \
	"\"due\":\"2027-01-15T08:04:00.000Z\"," \
	"\"expires\":\"2027-01-15T09:40:00.000Z\",\"tries\":3," \
	"\"total\":3,\"left\":2,\"client\":\"192.0.2.1\",\"helo\":\"app\"," \
	"\"recipients\":["
#define SHOWN_DAVE \
	"{\"address\":\"dave@x.test\",\"state\":\"active\",\"tries\":0," \
	"\"due\":\"2027-01-15T08:04:00.000Z\",\"last\":null,\"code\":0," \
	"\"host\":\"\",\"text\":\"\"}"

Test(rows, show_for_programs)
{
	struct msg_list first;

	o.is_json = true;
	buf_reset(&recipients);
	row.recipients.n = 0;
	add("dave@x.test", STATE_ACTIVE, 0, 0, "");
	first = row.recipients;
	rows_show(&rows, &row);
	rows_show_more(&rows, first);
	rows_show_head(&rows, SPAN_LIT("A: b\r\n"));
	rows_show_end(&rows);
	expect(SHOWN_HEAD SHOWN_DAVE "," SHOWN_DAVE
	    "],\"header\":\"A: b\\r\\n\"}\n");

	/* nobody could read the content */
	rows_show(&rows, &row);
	rows_show_end(&rows);
	expect(SHOWN_HEAD SHOWN_DAVE "]}\n");
}

/* I-04: a message with very many recipients is printed while they come. */
Test(rows, many_recipients_are_not_kept)
{
	struct msg_list one;

	cr_assert_not_null(freopen("/dev/null", "w", stdout));
	o.is_json = true;
	o.b.max = 1U << 20;
	buf_reset(&recipients);
	row.recipients.n = 0;
	add("dave@x.test", STATE_ACTIVE, 0, 0, "");
	one = row.recipients;
	rows_show(&rows, &row);
	for (int i = 0; i < 20000; i++) {
		rows_show_more(&rows, one);
		cr_assert_lt(o.b.n, 128 * 1024);
	}
	rows_show_head(&rows, SPAN_LIT("A: b\r\n"));
	rows_show_end(&rows);
	cr_expect_not(o.is_failed);
}

/* A peer that sends things in another order makes no harm. */
Test(rows, pieces_without_a_row)
{
	o.is_json = true;
	rows_show_more(&rows, row.recipients);
	rows_show_head(&rows, SPAN_LIT("A: b\r\n"));
	rows_show_end(&rows);
	expect("");
	row.state = 200;
	o.is_json = false;
	rows_list(&rows, &row);
	cr_expect_not_null(memmem(o.b.p, o.b.n, "unknown", 7));
}
