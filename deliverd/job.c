/*
 * The frame of a lease is gone when its handler returns, so all of it is
 * copied, into one block:
 *
 *	recipients | attempt_of | envelope | destination | rows | content
 *
 * Addresses are spans into the copied envelope.  A job is used again with its
 * memory: nothing is allocated for the usual lease.
 */
#include "deliverd/job.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "common/mail/envelope.h"
#include "deliverd/settings.h"

/* What a spare job may keep: content of the usual size, no large one. */
#define BLOCK_KEPT	((size_t)64 * 1024)
#define SENDER_BYTES	((size_t)1024)
/* JOB_ATTEMPTS_MAX records at their longest. */
#define ATTEMPTS_BYTES	((size_t)128 * 1024)

struct job *
job_new(void)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	list_init(&j->all);
	list_init(&j->node);
	buf_init(&j->mail.texts, TX_TEXTS_MAX);
	buf_init(&j->attempts, ATTEMPTS_BYTES);
	buf_init(&j->sender, SENDER_BYTES);
	return j;
}

void
job_free(struct job **job)
{
	struct job *j = *job;

	*job = NULL;
	if (j == NULL)
		return;
	settings_drop(&j->settings);
	tx_mail_forget(&j->mail);
	buf_clear(&j->mail.texts);
	buf_clear(&j->attempts);
	buf_clear(&j->sender);
	free(j->block);
	free(j);
}

/* One block for all of a lease; most leases find it large enough.  What was in
 * it isn't moved: all of it is written anew. */
static enum err
reserve(struct job *j, size_t n)
{
	uint8_t *block;

	if (j->block_size >= n)
		return OK;
	block = malloc(n);
	if (block == NULL)
		return ERR_NOMEM;
	free(j->block);
	j->block = block;
	j->block_size = n;
	return OK;
}

/* Appends S to the block; room was made for it. */
static struct span
copy(uint8_t **at, struct span s)
{
	struct span copied = { *at, s.n };

	if (s.n > 0)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return copied;
}

static void
set_recipients(struct job *j, const struct envelope *e)
{
	struct tx_mail *m = &j->mail;
	struct envelope_iter it;
	struct envelope_rcpt r;

	m->sender = e->sender;
	m->priority = e->priority;
	m->ret = e->ret;
	m->by = e->by;
	j->by_at = mtime_add((int64_t)e->arrived_at, e->by_ms);
	m->is_utf8 = (e->flags & ENVELOPE_UTF8) != 0;
	m->requires_tls = (e->flags & ENVELOPE_REQUIRE_TLS) != 0;
	m->is_tls_optional = !m->requires_tls &&
	    (e->flags & ENVELOPE_TLS_OPTIONAL) != 0;
	m->has_utf8_header = (e->flags & ENVELOPE_UTF8_HEADER) != 0;
	m->envid = e->envid;
	m->rcpt_count = 0;
	envelope_iter_init(e, &it);
	while (m->rcpt_count < e->rcpt_count && envelope_iter_next(&it, &r))
		m->rcpts[m->rcpt_count++] = (struct tx_rcpt){
		    .address = r.address, .orcpt = r.orcpt,
		    .notify = r.notify };
	tx_mail_reset(m);
	memset(j->attempt_of, JOB_NO_ATTEMPT, m->rcpt_count);
}

static uint8_t
flags_of(uint8_t flags)
{
	return (uint8_t)((flags & CONTENT_8BIT ? TX_CONTENT_8BIT : 0) |
	    (flags & CONTENT_DOTS ? TX_CONTENT_DOTS : 0) |
	    (flags & CONTENT_NO_EOL ? TX_CONTENT_NO_EOL : 0) |
	    (flags & CONTENT_BINARY ? TX_CONTENT_BINARY : 0));
}

/* The recipients come first: they need an alignment.  The envelope is checked
 * a second time to have it as spans into the copy. */
static enum err
fill_block(struct job *j, const struct msg_lease *m,
    const struct envelope *checked)
{
	size_t rcpts = checked->rcpt_count * sizeof(struct tx_rcpt);
	struct envelope e;
	uint8_t *at;

	if (reserve(j, rcpts + checked->rcpt_count + m->envelope.n +
	    m->destination.n + m->rows.n + m->content.n) != OK)
		return ERR_NOMEM;
	j->mail.rcpts = (struct tx_rcpt *)(void *)j->block;
	at = j->block + rcpts;
	j->attempt_of = at;
	at += checked->rcpt_count;
	if (envelope_check(copy(&at, m->envelope), &e) != OK)
		return ERR_SYNTAX;
	j->destination = copy(&at, m->destination);
	j->rows = copy(&at, m->rows);
	j->content = copy(&at, m->content);
	set_recipients(j, &e);
	return OK;
}

/* Content that did not come with the lease is large: it is asked for. */
static void
set_head(struct job *j, const struct msg_lease *m)
{
	j->lease = m->lease;
	j->id = m->id;
	j->unit = m->unit;
	j->state = JOB_WAITING;
	j->session = NULL;
	j->is_inline = m->content.n > 0 || m->size == 0;
	j->content_at = 0;
	j->asked_to = 0;
	j->n_attempts = 0;
	j->scope = SCOPE_RECIPIENTS;
	j->returns = 0;
	j->begun_at = 0;
	buf_reset(&j->attempts);
	j->mail.size = m->size;
	j->mail.flags = flags_of(m->flags);
}

/* The settings are used last, when nothing can fail any more. */
enum err
job_load(struct job *j, const struct msg_lease *m, struct settings *settings)
{
	struct envelope e;
	enum err err;

	if (envelope_check(m->envelope, &e) != OK || e.rcpt_count == 0 ||
	    e.rcpt_count > JOB_RCPTS_MAX ||
	    (m->content.n > 0 && m->content.n != m->size))
		return ERR_SYNTAX;
	if (!route_table_get(settings->routes, m->route, &j->route))
		return ERR_NOT_FOUND;
	err = fill_block(j, m, &e);
	if (err != OK)
		return err;
	set_head(j, m);
	j->settings = settings_use(settings);
	j->mail.eight_bit = j->route.policy->eight_bit;
	return OK;
}

void
job_unload(struct job *j)
{
	MUST(!list_is_linked(&j->node));
	settings_drop(&j->settings);
	tx_mail_forget(&j->mail);
	if (j->block_size > BLOCK_KEPT) {
		free(j->block);
		j->block = NULL;
		j->block_size = 0;
	}
	if (j->mail.texts.size > BLOCK_KEPT)
		buf_clear(&j->mail.texts);
}

uint8_t
job_add_attempt(struct job *j, const struct msg_attempt *a)
{
	struct msg_attempt cut = *a;
	size_t before = j->attempts.n;

	/* the lengths of messages.def: the peer would refuse more */
	cut.host = span_sub(a->host, 0, 256);
	cut.address = span_sub(a->address, 0, 64);
	cut.tls = span_sub(a->tls, 0, 64);
	cut.text = span_sub(a->text, 0, 1024);
	if (j->n_attempts >= JOB_ATTEMPTS_MAX)
		return JOB_NO_ATTEMPT;
	msg_put_attempt(&j->attempts, &cut);
	if (buf_failed(&j->attempts)) {
		/* no half of a record stays */
		j->attempts.n = before;
		j->attempts.is_failed = false;
		return JOB_NO_ATTEMPT;
	}
	return (uint8_t)j->n_attempts++;
}

void
job_mark_settled(struct job *j, uint8_t row)
{
	for (uint32_t i = 0; i < j->mail.rcpt_count; i++)
		if (j->mail.rcpts[i].outcome != TX_OPEN &&
		    j->attempt_of[i] == JOB_NO_ATTEMPT)
			j->attempt_of[i] = row;
}

struct span
job_domain(const struct job *j)
{
	return route_domain(j->mail.rcpts[0].address);
}
