/* What a changed configuration would move: rows, sums, and limits. */
#include "mtactl/route_diff.h"

#include <criterion/criterion.h>

#include <stdio.h>

static struct output o;
static struct route_diff diff;

static void
begin(bool is_json, uint64_t limit)
{
	memset(&o, 0, sizeof(o));
	o.is_json = is_json;
	buf_init(&o.b, 16 * 1024 * 1024);
	cr_assert_eq(route_diff_init(&diff, &o, "/tmp/new.yaml", limit), OK);
}

static void
message(uint64_t id, const char *before, const char *after)
{
	const struct route_diff_row row = {
		.id = id, .sender = SPAN_LIT("ann@a.example"),
		.recipient = SPAN_LIT("bob@b.example"),
		.before = span_str(before), .after = span_str(after),
	};

	route_diff_message(&diff, false, route_diff_row(&diff, &row));
}

static bool
has(const char *words)
{
	return strstr((const char *)o.b.p, words) != NULL;
}

static void
finish(void)
{
	route_diff_end(&diff);
	buf_add(&o.b, "", 1);
	cr_assert_not(buf_failed(&o.b));
	if (o.is_json)
		cr_expect_eq(json_done(&diff.json), OK);
}

static void
end(void)
{
	route_diff_clear(&diff);
	buf_clear(&o.b);
}

static void
tell(void)
{
	message(1, "b.example", "smtp://one:25");
	message(2, "b.example", "b.example");
	message(3, "b.example", "smtp://two:25");
	message(4, "b.example", "smtp://two:25");
	route_diff_message(&diff, true, false);
	finish();
}

Test(route_diff, for_people)
{
	begin(false, 2);
	tell();
	cr_expect(has("<ann@a.example> -> bob@b.example:  b.example -> "
	    "smtp://one:25\n"));
	cr_expect(has("… and 1 more"));
	cr_expect(has("         2  b.example -> smtp://two:25\n"
	    "         1  b.example -> smtp://one:25\n"));
	cr_expect(has("-- 3 of 4 recipients, in 3 of 5 messages, would move"));
	cr_expect(has("-- 1 of them with very many recipients"));
	end();
}

Test(route_diff, for_programs)
{
	begin(true, 2);
	tell();
	cr_expect(has("{\"v\":1,\"file\":\"/tmp/new.yaml\",\"rows\":[{\"id\":"));
	cr_expect(has("\"from\":\"ann@a.example\",\"to\":\"bob@b.example\","
	    "\"before\":\"b.example\",\"after\":\"smtp://one:25\"}"));
	cr_expect(has("],\"messages\":5,\"recipients\":4,"
	    "\"moved_messages\":3,\"moved_recipients\":3,"
	    "\"rows_left_out\":1,\"lists_left_out\":1,\"moves\":[{\"before\":"
	    "\"b.example\",\"after\":\"smtp://two:25\",\"recipients\":2},"));
	cr_expect(has("\"moves_left_out\":0}\n"));
	end();
}

Test(route_diff, nothing_moves)
{
	begin(false, 0);
	message(1, "b.example", "b.example");
	finish();
	cr_expect_str_eq((const char *)o.b.p,
	    "-- 0 of 1 recipients, in 0 of 1 messages, would move\n");
	end();
}

/* More kinds of moves than are kept apart: the sum is right all the same. */
Test(route_diff, very_many_moves)
{
	begin(true, 1);
	for (unsigned i = 0; i < ROUTE_DIFF_PAIRS + 7; i++) {
		char after[32];

		(void)snprintf(after, sizeof(after), "d%u.example", i);
		message(i, "b.example", after);
		message(i, "b.example", after);
	}
	finish();
	cr_expect(has("\"moved_recipients\":2014,"));
	cr_expect(has("\"moves_left_out\":14}\n"));
	end();
}
