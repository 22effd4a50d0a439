/*
 * The whole first, then the destinations that take longest, then what all of
 * this supposes: a forecast that hides that is a promise.
 */
#include "mtactl/forecast.h"

enum {
	DEST_WIDTH = 34, NUMBER_WIDTH = -10, TIME_WIDTH = -12,
	ROWS_SHOWN = 20,		/* a program gets all that come */
};

void
forecast_init(struct forecast_view *v, struct output *out)
{
	*v = (struct forecast_view){ .out = out };
}

/* ---- for programs ---- */

static void
json_ms(struct json *j, const char *key, uint64_t ms)
{
	json_key(j, key);
	if (ms == UINT64_MAX)
		json_null(j);
	else
		json_u64(j, ms);
}

static void
json_number(struct json *j, const char *key, uint64_t n)
{
	json_key(j, key);
	json_u64(j, n);
}

static void
json_all(struct json *j, const struct msg_ctl_forecast_all *m)
{
	json_object(j);
	json_number(j, "v", 1);
	json_number(j, "recipients", m->recipients);
	json_number(j, "held", m->held);
	json_ms(j, "half_ms", m->half_ms);
	json_ms(j, "most_ms", m->most_ms);
	json_ms(j, "all_ms", m->all_ms);
	json_number(j, "expiring", m->expired);
	json_number(j, "unforeseen", m->left);
	json_number(j, "untried", m->untried);
	json_number(j, "destinations", m->destinations);
	json_number(j, "sampled", m->weight);
	json_key(j, "longest");
	json_array(j);
}

static void
json_dest(struct json *j, const struct msg_ctl_forecast_dest *m)
{
	json_object(j);
	json_key(j, "destination");
	json_string(j, m->destination);
	json_number(j, "recipients", m->recipients);
	json_ms(j, "gone_ms", m->gone_ms);
	json_number(j, "expiring", m->expired);
	json_number(j, "unforeseen", m->left);
	json_number(j, "attempts", m->attempts);
	json_number(j, "success_permille", m->success);
	json_number(j, "attempt_ms", m->duration_ms);
	json_ms(j, "blocked_ms", m->blocked_ms);
	json_key(j, "why");
	json_string(j, m->why);
	json_object_end(j);
}

/* ---- for people ---- */

static void
put_mark(struct output *o, const char *what, uint64_t ms)
{
	output_padded(o, span_str(what), 12);
	if (ms == UINT64_MAX)
		buf_add_str(&o->b, "not foreseen");
	else
		output_age(o, 0, ms, 0);
	buf_add_byte(&o->b, '\n');
}

static void
put_all(struct output *o, const struct msg_ctl_forecast_all *m)
{
	output_count(o, m->recipients, "recipient");
	buf_add_str(&o->b, " for ");
	output_count(o, m->destinations, "destination");
	if (m->held > 0)
		buf_addf(&o->b, ", and %llu held, which stay",
		    (unsigned long long)m->held);
	buf_add_byte(&o->b, '\n');
	if (m->recipients == 0)
		return;
	put_mark(o, "half gone", m->half_ms);
	put_mark(o, "90 % gone", m->most_ms);
	put_mark(o, "all gone", m->all_ms);
	if (m->expired > 0)
		output_line(o, "%llu of them will grow too old and be "
		    "reported", (unsigned long long)m->expired);
	if (m->left > 0)
		output_line(o, "%llu of them take longer than was looked at",
		    (unsigned long long)m->left);
}

static void
put_why(struct output *o, const struct msg_ctl_forecast_dest *m)
{
	if (m->attempts == 0) {
		buf_add_str(&o->b, "not tried of late");
	} else {
		buf_addf(&o->b, "%u.%u %% succeed, %llu ms each",
		    (unsigned)(m->success / 10), (unsigned)(m->success % 10),
		    (unsigned long long)m->duration_ms);
	}
	if (m->blocked_ms > 0) {
		buf_add_str(&o->b, "; backs off for ");
		output_age(o, 0, m->blocked_ms, 0);
	}
	if (m->why.n > 0) {
		buf_add_str(&o->b, ": ");
		output_text(o, m->why);
	}
}

static void
put_row(struct output *o, const struct msg_ctl_forecast_dest *m)
{
	output_padded(o, m->destination, DEST_WIDTH);
	output_number(o, m->recipients, NUMBER_WIDTH);
	output_number(o, m->expired, NUMBER_WIDTH);
	if (m->gone_ms == UINT64_MAX)
		output_padded(o, SPAN_LIT("?"), TIME_WIDTH);
	else
		output_age(o, 0, m->gone_ms, TIME_WIDTH);
	buf_add_str(&o->b, "  ");
	put_why(o, m);
	buf_add_byte(&o->b, '\n');
}

static void
put_heading(struct output *o)
{
	buf_add_byte(&o->b, '\n');
	output_padded(o, SPAN_LIT("destination"), DEST_WIDTH);
	output_padded(o, SPAN_LIT("recipients"), NUMBER_WIDTH);
	output_padded(o, SPAN_LIT("expiring"), NUMBER_WIDTH);
	output_padded(o, SPAN_LIT("last gone"), TIME_WIDTH);
	buf_add_str(&o->b, "  why\n");
}

/* ---- both ---- */

void
forecast_all(struct forecast_view *v, const struct msg_ctl_forecast_all *m)
{
	if (v->out->is_json) {
		json_init(&v->json, &v->out->b);
		json_all(&v->json, m);
	} else {
		put_all(v->out, m);
		v->untried = m->untried;
	}
}

void
forecast_dest(struct forecast_view *v, const struct msg_ctl_forecast_dest *m)
{
	if (v->out->is_json) {
		json_dest(&v->json, m);
		return;
	}
	if (v->rows == 0)
		put_heading(v->out);
	if (v->rows++ < ROWS_SHOWN)
		put_row(v->out, m);
}

void
forecast_end(struct forecast_view *v)
{
	struct output *o = v->out;

	if (o->is_json) {
		json_array_end(&v->json);
		json_object_end(&v->json);
		buf_add_byte(&o->b, '\n');
		return;
	}
	output_line(o, "\nThis supposes that nothing new comes, that held mail "
	    "stays, and that each\ndestination goes on as in its last "
	    "attempts.");
	if (v->untried > 0)
		output_line(o, "%llu recipients are of destinations that were "
		    "not tried of late: taken as sure,\none second each.",
		    (unsigned long long)v->untried);
}
