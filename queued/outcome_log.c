/*
 * One line for each recipient and attempt (I-10), and with it the figures that
 * mtactl shows.  Written right before the verdict is appended to its group,
 * for afterwards unit and message may be gone.
 */
#include "queued/outcome_log.h"

#include "common/base/check.h"
#include "common/log/log.h"
#include "queued/rates.h"
#include "queued/residence.h"
#include "queued/shaping.h"

/* Too old is a bounce with a reason of its own ("why"); everything that is
 * tried again is a delay, doubt too. */
static enum log_id
event_of(uint8_t outcome)
{
	switch (outcome) {
	case OUTCOME_DELIVERED:
		return LOG_DELIVERED;
	case OUTCOME_FAILED:
	case OUTCOME_EXPIRED:
		return LOG_BOUNCED;
	case OUTCOME_DISCARDED:
		return LOG_DISCARDED;
	default:
		return LOG_DEFERRED;
	}
}

/* Counts recipients even if the log drops the line. */
static void
count(struct queued *q, enum log_id event)
{
	if (event == LOG_DELIVERED)
		q->figures.delivered++;
	else if (event == LOG_BOUNCED)
		q->figures.failed++;
	else if (event == LOG_DEFERRED)
		q->figures.deferred++;
}

/* Who said so: name, address and port of the next hop. */
static void
log_host(struct queued *q, const struct outcome_work *w, size_t i)
{
	uint8_t attempt = w->attempt_of[i];

	if (w->results[i].host.n > 0)
		log_text(q->log, "host", w->results[i].host);
	if (attempt < w->attempt_count && w->attempts[attempt].address.n > 0)
		log_text(q->log, "address", w->attempts[attempt].address);
}

/* The unit still has the tries from before this attempt. */
static void
log_result(struct queued *q, const struct outcome_work *w, size_t i,
    const struct store_unit *unit, uint64_t due_at)
{
	const struct store_result *r = &w->results[i];
	const struct store_message *m = unit->message;
	enum log_id event = event_of(r->outcome);
	uint64_t now = queued_wall(q);

	count(q, event);
	if (!log_begin(q->log, event, NULL))
		return;
	log_queue_id(q->log, "id", m->id);
	log_address(q->log, "to", unit->recipients[r->first].address);
	log_address(q->log, "from", m->sender);
	log_host(q, w, i);
	if (r->code > 0)
		log_u64(q->log, "code", r->code);
	if (r->status.n > 0)
		log_text(q->log, "status", r->status);
	log_text(q->log, "reply", r->text);
	if (r->outcome == OUTCOME_EXPIRED)
		log_str(q->log, "why", "too old");
	else if (r->outcome == OUTCOME_IN_DOUBT)
		log_str(q->log, "why", m->is_held ? "in doubt, held" :
		    "in doubt");
	if (event == LOG_DEFERRED && due_at > now && !m->is_held)
		log_ms(q->log, "next", (int64_t)(due_at - now));
	log_u64(q->log, "tries", unit->tries + (w->is_try ? 1 : 0));
	log_ms(q->log, "age", now > m->arrived_at ?
	    (int64_t)(now - m->arrived_at) : 0);
	log_end(q->log);
}

void
outcome_log(struct queued *q, const struct outcome_work *w,
    const struct store_unit *unit, uint64_t due_at)
{
	for (size_t i = 0; i < w->count; i++)
		log_result(q, w, i, unit, due_at);
}

/* An operator must know why a finished lease stays: memory or disk. */
void
outcome_log_trouble(struct queued *q, uint64_t id, enum err e)
{
	if (!log_begin(q->log, LOG_NO_MEMORY, NULL))
		return;
	log_queue_id(q->log, "id", id);
	log_str(q->log, "step", "writing the result of an attempt");
	log_str(q->log, "why", err_text(e));
	log_end(q->log);
}

/* ---- what is worked on ---- */

/* Whether a recipient with this outcome is done with. */
bool
outcome_settles(uint8_t outcome)
{
	return outcome != OUTCOME_DEFERRED && outcome != OUTCOME_IN_DOUBT &&
	    outcome != OUTCOME_UNTRIED;
}

/* More attempts than fit are in the history all the same; their results name
 * no host. */
void
outcome_read_attempts(struct outcome_work *w, struct msg_list attempts)
{
	w->history = attempts.bytes;
	w->attempt_count = 0;
	while (w->attempt_count < COUNT_OF(w->attempts) && msg_next_attempt(
	    &attempts, &w->attempts[w->attempt_count]))
		w->attempt_count++;
}

/* Of what was told; others of the unit may be open. */
bool
outcome_is_all_settled(const struct outcome_work *w)
{
	for (size_t i = 0; i < w->count; i++)
		if (!w->results[i].is_settled)
			return false;
	return true;
}

/* It broke the dialogue off, as the last host tried did: it would rather have
 * less.  Those before it may be away for good while others serve. */
bool
outcome_is_pushback(const struct outcome_work *w)
{
	const struct msg_attempt *last;

	for (size_t i = 0; i < w->count; i++)
		if (outcome_settles(w->results[i].outcome))
			return false;
	if (w->attempt_count == 0)
		return false;
	last = &w->attempts[w->attempt_count - 1];
	return last->code == 421 ||
	    (last->code == 0 && last->stage >= STAGE_HELLO);
}

void
outcome_note_rates(struct queued *q, const struct outcome_work *w,
    struct span key, uint8_t scope)
{
	uint64_t took_ms = 0;
	uint32_t answered = 0, count = (uint32_t)w->count;

	for (size_t i = 0; i < w->attempt_count; i++)
		took_ms += w->attempts[i].duration_ms;
	for (size_t i = 0; i < w->count; i++)
		answered += w->results[i].outcome == OUTCOME_DELIVERED ||
		    w->results[i].outcome == OUTCOME_FAILED;
	rates_note(q->rates, key, answered * 1000 / count,
	    scope == SCOPE_DESTINATION, took_ms);
}

/* What the log keeps: a next hop says the same of most recipients. */
void
outcome_gather_runs(struct outcome_work *w)
{
	w->run_count = 0;
	for (size_t i = 0; i < w->count; i++) {
		struct store_result *last = w->run_count > 0 ?
		    &w->runs[w->run_count - 1] : NULL;

		if (last != NULL && store_result_continues(last, &w->results[i]))
			last->last = w->results[i].last;
		else
			w->runs[w->run_count++] = w->results[i];
	}
}

void
outcome_put_why(const struct plan_dest_view *dest, char text[PLAN_WHY_MAX],
    char status[sizeof("5.999.999")], struct store_result *out)
{
	if (dest->stopped_until != 0) {
		out->status = SPAN_LIT("4.3.2");
		out->text = SPAN_LIT("mail to this destination is suspended "
		    "here for now");
		return;
	}
	out->text = span_of(text, dest->why.n);
	if (dest->why.n > 0)
		memcpy(text, dest->why.p, dest->why.n);
	out->status = span_copy(dest->status, status, sizeof("5.999.999")) ?
	    span_str(status) : SPAN_LIT("4.4.1");
}

uint8_t
outcome_learn(struct queued *q, struct outcome_work *w,
    const struct lease *lease, uint8_t scope)
{
	const struct route route = residence_route(q, lease->unit);
	struct span key = plan_unit_key(lease->unit->plan);
	bool is_news = !lease->is_counted;

	if (is_news)
		outcome_note_rates(q, w, key, scope);
	return shaping_take(q, w, key, &route, scope, is_news);
}
