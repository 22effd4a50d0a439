/* The forecast, for people and for programs. */
#include "mtactl/forecast.h"

#include <criterion/criterion.h>

static struct output o;
static struct forecast_view view;

static const struct msg_ctl_forecast_all all = {
	.recipients = 12, .held = 3, .expired = 2, .destinations = 2,
	.weight = 1, .half_ms = 0, .most_ms = 125000, .all_ms = UINT64_MAX,
	.left = 1, .untried = 2,
};

static const struct msg_ctl_forecast_dest dests[] = {
	{ .destination = SPAN_LIT("dead.example"), .recipients = 10,
	    .expired = 2, .left = 1, .gone_ms = UINT64_MAX, .attempts = 16,
	    .success = 985, .duration_ms = 40, .blocked_ms = 60000,
	    .why = SPAN_LIT("refused \033[31m") },
	{ .destination = SPAN_LIT("other.example"), .recipients = 2, .gone_ms = 1000 },
};

static void
tell(bool is_json)
{
	memset(&o, 0, sizeof(o));
	o.is_json = is_json;
	buf_init(&o.b, 65536);
	forecast_init(&view, &o);
	forecast_all(&view, &all);
	for (size_t i = 0; i < 2; i++)
		forecast_dest(&view, &dests[i]);
	forecast_end(&view);
	buf_add(&o.b, "", 1);
}

static bool
has(const char *words)
{
	return strstr((const char *)o.b.p, words) != NULL;
}

Test(forecast, for_people)
{
	tell(false);
	cr_expect(has("12 recipients for 2 destinations"));
	cr_expect(has("and 3 held, which stay"));
	cr_expect(has("90 % gone"));
	cr_expect(has("all gone    not foreseen"));
	cr_expect(has("2 of them will grow too old"));
	cr_expect(has("dead.example"));
	cr_expect(has("98.5 % succeed, 40 ms each; backs off for "));
	cr_expect_not(has("\033"), "foreign words are escaped");
	cr_expect(has("other.example"));
	cr_expect(has("not tried of late"));
	cr_expect(has("nothing new comes"));
	cr_expect(has("2 recipients are of destinations that were not"));
	buf_clear(&o.b);
}

Test(forecast, for_programs)
{
	tell(true);
	cr_expect_eq(json_done(&view.json), OK);
	cr_expect(has("{\"v\":1,\"recipients\":12,\"held\":3,\"half_ms\":0,"
	    "\"most_ms\":125000,\"all_ms\":null,\"expiring\":2,"
	    "\"unforeseen\":1,\"untried\":2,\"destinations\":2,\"sampled\":1,"
	    "\"longest\":[{\"destination\":\"dead.example\","));
	cr_expect(has("\"success_permille\":985"));
	cr_expect(has("]}\n"));
	buf_clear(&o.b);
}
