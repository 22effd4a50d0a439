/*
 * A mail that waits for keyd is in d->signing by its node, as it would be in
 * its destination's queue; the answer finds it by its lease, or nobody.
 */
#include "deliverd/sender.h"

#include "common/conf/conf_match.h"
#include "common/ipc/channel.h"
#include "deliverd/deliverd.h"
#include "deliverd/jobs.h"
#include "deliverd/settings.h"

#include <string.h>

/* The domain that D is below of, or NULL: the first that is given. */
static const char *
mask_of(const struct route_way *way, struct span d)
{
	for (size_t i = 0; i < way->n_masquerade; i++) {
		const struct span m = span_str(way->masquerade[i]);

		if (d.n > m.n + 1 && d.p[d.n - m.n - 1] == '.' &&
		    span_equal_nocase(span_from(d, d.n - m.n), m))
			return way->masquerade[i];
	}
	return NULL;
}

static bool
is_ours(const struct job *j, struct span domain)
{
	return conf_match_domain(j->settings->match, domain) ||
	    span_equal_nocase(domain, span_str(j->settings->hostname)) ||
	    span_equal_nocase(domain, span_str(j->route.way->srs));
}

static enum err
set_sender(struct job *j)
{
	if (buf_failed(&j->sender))
		return ERR_NOMEM;
	j->mail.sender = buf_span(&j->sender);
	return OK;
}

static enum err
ask(struct deliverd *d, struct job *j)
{
	struct msg m = { .type = MSG_srs_ask };

	m.srs_ask.cookie = j->lease;
	m.srs_ask.address = j->mail.sender;
	m.srs_ask.domain = span_str(j->route.way->srs);
	if (d->keyd == NULL)
		return ERR_PEER;
	if (channel_send(d->keyd, &m) != OK)
		return ERR_NOMEM;
	list_add_last(&d->signing, &j->node);
	return ERR_AGAIN;
}

/* ERR_AGAIN: keyd is asked. */
static enum err
prepare(struct deliverd *d, struct job *j)
{
	const struct route_way *way = j->route.way;
	const struct span sender = j->mail.sender;
	const struct span domain = route_domain(sender);
	const char *mask;

	if (domain.n == 0)
		return OK;
	if ((mask = mask_of(way, domain)) != NULL) {
		buf_reset(&j->sender);
		buf_add(&j->sender, sender.p, sender.n - domain.n);
		buf_add_str(&j->sender, mask);
		return set_sender(j);
	}
	if (way->srs[0] == '\0' || is_ours(j, domain))
		return OK;
	return ask(d, j);
}

static void
defer(struct deliverd *d, struct job *j)
{
	static const struct tx_finding why = {
		.outcome = TX_DEFERRED, .stage = TX_STAGE_CONNECT,
		.status = { 4, 3, 0 },
		.text = SPAN_LIT("its sender can't be rewritten now"),
	};

	tx_mail_settle_open(&j->mail, &why);
	jobs_tell(d->jobs, j);
}

void
sender_go(struct deliverd *d, struct job *j)
{
	enum err e = prepare(d, j);

	if (e == OK)
		jobs_go(d->jobs, j);
	else if (e != ERR_AGAIN)
		defer(d, j);
}

static struct job *
find(struct deliverd *d, uint64_t lease)
{
	struct list *node = list_first(&d->signing);

	while (node != NULL) {
		struct job *j = CONTAINER_OF(node, struct job, node);

		if (j->lease == lease)
			return j;
		node = list_next(&d->signing, node);
	}
	return NULL;
}

/* What has no form under our domain leaves as it is. */
void
sender_answer(struct deliverd *d, const struct msg_srs_answer *m)
{
	struct job *j = find(d, m->cookie);
	enum err e = OK;

	if (j == NULL)
		return;
	list_remove(&j->node);
	if (m->result == AUTH_GOOD) {
		buf_reset(&j->sender);
		buf_add_span(&j->sender, m->address);
		e = set_sender(j);
	}
	if (e != OK || (m->result != AUTH_GOOD && m->result != AUTH_BAD))
		defer(d, j);
	else
		jobs_go(d->jobs, j);
}

void
sender_give_up(struct deliverd *d)
{
	struct list *node;

	while ((node = list_take_first(&d->signing)) != NULL)
		defer(d, CONTAINER_OF(node, struct job, node));
}
