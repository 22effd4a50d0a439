#include "smtpd/session_pace.h"

#include "common/conf/conf.h"
#include "smtpd/quotas.h"
#include "smtpd/server.h"

/* What is left of RATE for the client. */
static uint32_t
left_of(const struct session *s, enum client_rate kind,
    const struct conf_rate *rate)
{
	uint32_t used;

	if (rate->count == 0)
		return UINT32_MAX;
	used = client_table_rate(s->server->clients, kind, &s->client.addr,
	    rate->period_ms, loop_now_ms(s->server->loop));
	return used < rate->count ? rate->count - used : 0;
}

static bool
has_rates(const struct session *s)
{
	const struct conf *conf = s->server->conf;

	return (conf->limits.messages_rate.count > 0 ||
	    conf->limits.recipients_rate.count > 0) && !rx_is_trusted(s->rx);
}

void
session_pace_before(struct session *s)
{
	const struct conf *conf = s->server->conf;
	struct rx_budget budget = { UINT32_MAX, UINT32_MAX,
		quotas_wait_s(s) };

	if (has_rates(s)) {
		budget.messages = left_of(s, CLIENT_RATE_MESSAGES,
		    &conf->limits.messages_rate);
		budget.recipients = left_of(s, CLIENT_RATE_RECIPIENTS,
		    &conf->limits.recipients_rate);
	}
	s->budget = budget;
	rx_set_budget(s->rx, &budget);
}

static void
note(struct session *s, enum client_rate kind, const struct conf_rate *rate,
    uint32_t before, uint32_t after)
{
	if (before != after && rate->count > 0)
		client_table_note(s->server->clients, kind, &s->client.addr,
		    rate->period_ms, loop_now_ms(s->server->loop),
		    before - after);
}

void
session_pace_after(struct session *s)
{
	const struct conf *conf = s->server->conf;
	struct rx_budget left = rx_budget(s->rx);

	note(s, CLIENT_RATE_MESSAGES, &conf->limits.messages_rate,
	    s->budget.messages, left.messages);
	note(s, CLIENT_RATE_RECIPIENTS, &conf->limits.recipients_rate,
	    s->budget.recipients, left.recipients);
	s->budget = left;
}

/* Set when it is first asked for: what the client says meanwhile does not put
 * it off. */
int64_t
session_pace_until_ms(struct session *s)
{
	int64_t pause = rx_pause_ms(s->rx);

	if (pause > 0 && s->pause_until_ms == 0)
		s->pause_until_ms = loop_now_ms(s->server->loop) + pause;
	return pause > 0 ? s->pause_until_ms : 0;
}

void
session_pace_resume(struct session *s)
{
	s->pause_until_ms = 0;
	rx_resume(s->rx);
}
