/*
 * `mtactl forecast`: the present queue, as the index and memory have it, is
 * given to a planner of its own, which is run in virtual time
 * (plan_forecast.h).  Both are done in slices, so that mail does not wait.
 */
#include "queued/ctl_forecast.h"

#include "queued/ctl_private.h"
#include "queued/plan/plan_forecast.h"
#include "queued/rates.h"
#include "queued/residence.h"
#include "queued/times.h"

enum {
	FORECAST_STEPS = 200,		/* of attempts, in one step of the job */
	FORECAST_ROWS = 100,		/* destinations that are told */
};

static struct forecast_rates
rates(void *ctx, struct span key)
{
	const struct queued *q = ctx;

	return rates_of(q->rates, key);
}

/* As it would enter the planner now. */
static enum err
add_unit(struct ctl_session *s, const struct store_unit *unit)
{
	const struct store_message *m = unit->message;
	const struct route_policy *policy;
	struct forecast_unit u = {
		.entry = residence_entry(s->q, unit, &policy),
		.tries = unit->tries,
		.recipients = unit->left,
	};
	int64_t life = m->is_report ? s->q->conf->queue.report_expire_ms :
	    policy->expire_ms;

	u.connections = policy->connections;
	u.expires = times_plan(s->q, m, times_released(m) + (uint64_t)life);
	return forecast_add(s->forecast, &u);
}

static bool
on_message(void *ctx, struct store_glance *g)
{
	struct ctl_session *s = ctx;
	const struct store_unit *u;

	store_glance_rewind(g);
	while ((u = store_glance_next(g)) != NULL) {
		if (u->message->is_held)
			forecast_count_held(s->forecast, u->left);
		else if (forecast_count(s->forecast, u->key, u->left))
			s->job.has_failed |= add_unit(s, u) != OK;
	}
	return !s->job.has_failed;
}

/* ---- the answer ---- */

static uint64_t
ms_or_never(int64_t ms)
{
	return ms < 0 ? UINT64_MAX : (uint64_t)ms;
}

static void
send_dest(struct ctl_session *s, const struct forecast_dest *d)
{
	const struct queued *q = s->q;
	struct msg m = { .type = MSG_ctl_forecast_dest };
	int64_t blocked = plan_blocked_until(q->plan, d->key);

	m.ctl_forecast_dest.destination = d->key;
	m.ctl_forecast_dest.recipients = d->recipients;
	m.ctl_forecast_dest.expired = d->expired;
	m.ctl_forecast_dest.left = d->left;
	m.ctl_forecast_dest.gone_ms = ms_or_never(d->gone_ms);
	m.ctl_forecast_dest.attempts = d->rates.attempts;
	m.ctl_forecast_dest.success = d->rates.success;
	m.ctl_forecast_dest.duration_ms = (d->rates.duration_us + 500) / 1000;
	if (blocked > queued_now(q))
		m.ctl_forecast_dest.blocked_ms =
		    (uint64_t)(blocked - queued_now(q));
	m.ctl_forecast_dest.why = plan_blocked_why(q->plan, d->key);
	ctl_send(s, &m);
}

static void
send_all(struct ctl_session *s)
{
	struct msg m = { .type = MSG_ctl_forecast_all };
	struct forecast_result r;

	forecast_result(s->forecast, &r);
	m.ctl_forecast_all.recipients = r.recipients;
	m.ctl_forecast_all.held = r.held;
	m.ctl_forecast_all.expired = r.expired;
	m.ctl_forecast_all.left = r.left;
	m.ctl_forecast_all.untried = r.untried;
	m.ctl_forecast_all.destinations = r.destinations;
	m.ctl_forecast_all.weight = r.weight;
	m.ctl_forecast_all.half_ms = ms_or_never(r.half_ms);
	m.ctl_forecast_all.most_ms = ms_or_never(r.most_ms);
	m.ctl_forecast_all.all_ms = ms_or_never(r.all_ms);
	ctl_send(s, &m);
}

/* ---- slices ---- */

static bool
end(struct ctl_session *s)
{
	struct forecast_dest d;

	if (s->job.has_failed) {
		ctl_end(s, CTL_FAILED, 0, SPAN_LIT("no memory"));
		return true;
	}
	send_all(s);
	for (uint32_t i = 0; i < FORECAST_ROWS &&
	    forecast_dest(s->forecast, i, &d); i++)
		send_dest(s, &d);
	ctl_end(s, CTL_DONE, s->job.total, SPAN_NONE);
	return true;
}

static bool
run(struct ctl_session *s)
{
	return forecast_run(s->forecast, FORECAST_STEPS) ? end(s) : false;
}

static bool
gather(struct ctl_session *s)
{
	const struct store_path all = STORE_PATH_ALL;
	struct ctl_job *job = &s->job;

	job->cursor = store_look(s->q->store, &all, job->cursor,
	    CTL_WALK_ROWS, on_message, s);
	if (job->has_failed)
		return end(s);
	if (job->cursor != UINT64_MAX)
		return false;
	forecast_begin(s->forecast);
	job->step = run;
	return false;
}

/* One at a time: it takes some megabytes. */
void
ctl_forecast(struct ctl_session *s)
{
	struct ctl *ctl = s->q->ctl;
	struct forecast_params params = { .like = s->q->plan, .ctx = s->q };
	struct store_figures f;

	if (ctl->is_forecasting) {
		ctl_end(s, CTL_BUSY, 0, SPAN_LIT("a forecast is being made"));
		return;
	}
	store_figures(s->q->store, &f);
	params.now = queued_now(s->q);
	params.units = f.units;
	params.connections = s->q->conf->deliver.connections_total;
	params.rates = rates;
	if (forecast_new(&params, &s->forecast) != OK) {
		ctl_end(s, CTL_FAILED, 0, SPAN_LIT("no memory"));
		return;
	}
	ctl->is_forecasting = true;
	s->job.total = f.messages;
	s->job.cursor = 0;
	s->job.has_failed = false;
	s->job.step = gather;
}

void
ctl_forecast_end(struct ctl_session *s)
{
	if (s->forecast == NULL)
		return;
	forecast_free(&s->forecast);
	s->q->ctl->is_forecasting = false;
}
