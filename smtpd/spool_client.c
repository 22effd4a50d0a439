/*
 * The protocol between smtpd and queued, from smtpd's side (I-03).
 *
 * A job goes IDLE -> READY -> SENT -> IDLE, with OPEN before READY when its
 * body goes in pieces, and SENT -> ASKED -> SENT ... while queued comes and
 * goes.  It is in `jobs` by its token in all states but IDLE, and in `ready`
 * in one.
 *
 * The token makes it exactly once: queued stores it with the message, so its
 * successor knows whether the message that carried it got to the disk.  Only
 * if it says that it doesn't is the message sent again, under a new token.  A
 * token is never used twice, over restarts neither: it begins with the
 * instance of this process.
 *
 * Two credits bound what lies in queued: of the channel for submissions, of
 * each body for its pieces.  Credit dies with queued and is given anew.
 */
#include "smtpd/spool_client.h"

/* tokens of one process: 2^40 messages */
#define TOKEN_BITS 40

/* The map's seed need not be secret: tokens are our own numbers. */
void
spool_client_init(struct spool_client *c, const struct spool_ops *ops,
    void *ctx, uint64_t instance)
{
	const struct siphash_key seed = { instance, 0 };

	*c = (struct spool_client){ .ops = ops, .ctx = ctx };
	c->next_token = (instance << TOKEN_BITS) + 1;
	map_u64_init(&c->jobs, &seed);
	list_init(&c->ready);
}

void
spool_client_clear(struct spool_client *c)
{
	map_u64_clear(&c->jobs);
}

void
spool_job_init(struct spool_job *job)
{
	*job = (struct spool_job){ .state = SPOOL_JOB_IDLE };
	list_init(&job->node);
}

/* Gives a job a token of its own. */
static enum err
enrol(struct spool_client *c, struct spool_job *job)
{
	enum err e = map_u64_add(&c->jobs, c->next_token, job);

	if (e != OK)
		return e;
	job->token = c->next_token++;
	job->credit = 0;
	return OK;
}

/* Safe for a job that is in no list. */
static void
retire(struct spool_client *c, struct spool_job *job)
{
	map_u64_remove(&c->jobs, job->token);
	list_remove(&job->node);
	job->state = SPOOL_JOB_IDLE;
	job->is_streamed = false;
}

/* The owner may free the job inside: nothing of it is touched afterwards. */
static void
settle(struct spool_client *c, struct spool_job *job,
    enum submit_result result, uint64_t id)
{
	retire(c, job);
	c->ops->on_result(job, result, id);
}

/* As settle(). */
static void
fail_open(struct spool_client *c, struct spool_job *job,
    enum submit_result result)
{
	retire(c, job);
	c->ops->on_failed(job, result);
}

/* ---- submissions ---- */

/* The job is READY, and stays so when it was neither sent nor settled. */
static void
send_one(struct spool_client *c, struct spool_job *job)
{
	struct msg m = { .type = MSG_submit };
	enum err e;

	if (!c->ops->on_fill(job, &m.submit)) {
		settle(c, job, SUBMIT_NO_ROOM, 0);
		return;
	}
	m.submit.token = job->token;
	m.submit.is_streamed = job->is_streamed;
	e = channel_send(c->channel, &m);
	if (e != OK && e != ERR_PEER) {
		settle(c, job, e == ERR_NOMEM ? SUBMIT_NO_ROOM
		    : SUBMIT_MALFORMED, 0);
		return;
	}
	/* With ERR_PEER the channel has ended: the token is asked for when
	 * the next queued comes. */
	list_remove(&job->node);
	job->state = SPOOL_JOB_SENT;
	/* what queued gives back when it has dealt with it */
	c->credit -= (int64_t)(m.submit.envelope.n + m.submit.body.n);
}

/* Sends while there is any credit, so that one message larger than all of it
 * goes, too. */
static void
send_ready(struct spool_client *c)
{
	struct list *node;

	while (c->channel != NULL && c->credit > 0 &&
	    (node = list_first(&c->ready)) != NULL)
		send_one(c, CONTAINER_OF(node, struct spool_job, node));
}

enum err
spool_job_submit(struct spool_client *c, struct spool_job *job)
{
	enum err e = OK;

	if (job->state == SPOOL_JOB_IDLE)
		e = enrol(c, job);
	if (e != OK)
		return e;
	job->state = SPOOL_JOB_READY;
	list_add_last(&c->ready, &job->node);
	send_ready(c);
	return OK;
}

/* ---- bodies in pieces ---- */

/* `body_open` asks for credit; pieces follow when it comes. */
enum err
spool_job_open(struct spool_client *c, struct spool_job *job, bool is_list)
{
	struct msg m = { .type = MSG_body_open };
	enum err e;

	if (c->channel == NULL)
		return ERR_AGAIN;
	if ((e = enrol(c, job)) != OK)
		return e;
	job->state = SPOOL_JOB_OPEN;
	job->is_streamed = true;
	m.body_open.token = job->token;
	m.body_open.is_list = is_list;
	e = channel_send(c->channel, &m);
	if (e != OK && e != ERR_PEER) {
		retire(c, job);
		return e;
	}
	return OK;
}

/* Stops at the end of the credit, and when the channel has ended; in the
 * latter case detach() will fail the job. */
size_t
spool_job_push(struct spool_client *c, struct spool_job *job,
    struct span body)
{
	struct msg m = { .type = MSG_body_data };
	size_t sent = 0;

	while (c->channel != NULL && sent < body.n && job->credit > 0) {
		size_t n = body.n - sent;

		if (n > SPOOL_PIECE_MAX)
			n = SPOOL_PIECE_MAX;
		if (n > job->credit)
			n = (size_t)job->credit;
		m.body_data.token = job->token;
		m.body_data.bytes = span_sub(body, sent, n);
		if (channel_send(c->channel, &m) != OK)
			break;
		job->credit -= n;
		sent += n;
	}
	return sent;
}

/* Whole ones in each frame, for queued checks them as they come. */
bool
spool_job_push_list(struct spool_client *c, struct spool_job *job,
    struct span recipients)
{
	struct msg m = { .type = MSG_list_data };

	if (c->channel == NULL || job->state != SPOOL_JOB_OPEN ||
	    job->credit < recipients.n)
		return false;
	m.list_data.token = job->token;
	m.list_data.recipients = recipients;
	if (channel_send(c->channel, &m) != OK)
		return false;
	job->credit -= recipients.n;
	return true;
}

/* queued forgets a body that was dropped together with its file. */
bool
spool_job_drop(struct spool_client *c, struct spool_job *job)
{
	struct msg m = { .type = MSG_body_drop };

	if (job->state == SPOOL_JOB_SENT || job->state == SPOOL_JOB_ASKED)
		return false;
	if (job->state == SPOOL_JOB_IDLE)
		return true;
	if (job->is_streamed && c->channel != NULL) {
		m.body_drop.token = job->token;
		channel_send_or_end(c->channel, &m);
	}
	retire(c, job);
	return true;
}

/* ---- what queued says ---- */

/* The new queued has never heard of the token, and the old one is dead: it
 * may safely go once more. */
static void
submit_again(struct spool_client *c, struct spool_job *job)
{
	retire(c, job);
	if (spool_job_submit(c, job) != OK)
		c->ops->on_result(job, SUBMIT_NO_ROOM, 0);
}

/* Late or invented tokens are ignored.  A streamed body isn't there any more
 * to be sent again: unknown means lost. */
static void
on_submitted(struct spool_client *c, const struct msg_submitted *m)
{
	struct spool_job *job = map_u64_get(&c->jobs, m->token);

	if (job == NULL || m->result >= SUBMIT_RESULT_COUNT ||
	    (job->state != SPOOL_JOB_SENT && job->state != SPOOL_JOB_ASKED))
		return;
	if (m->result == SUBMIT_UNKNOWN && !job->is_streamed)
		submit_again(c, job);
	else
		settle(c, job, (enum submit_result)m->result, m->id);
}

void
spool_client_msg(struct spool_client *c, const struct msg *m)
{
	struct spool_job *job;

	switch (m->type) {
	case MSG_submitted:
		on_submitted(c, &m->submitted);
		break;
	case MSG_credit:
		c->credit += m->credit.bytes;
		send_ready(c);
		break;
	case MSG_body_credit:
		job = map_u64_get(&c->jobs, m->body_credit.token);
		if (job == NULL || job->state != SPOOL_JOB_OPEN)
			break;
		job->credit += m->body_credit.bytes;
		c->ops->on_credit(job);
		break;
	/* queued may also fail a body whose submission is under way */
	case MSG_body_failed:
		job = map_u64_get(&c->jobs, m->body_failed.token);
		if (job == NULL || m->body_failed.why >= SUBMIT_RESULT_COUNT)
			break;
		if (job->state == SPOOL_JOB_OPEN)
			fail_open(c, job,
			    (enum submit_result)m->body_failed.why);
		else
			settle(c, job,
			    (enum submit_result)m->body_failed.why, 0);
		break;
	default:
		break;
	}
}

/* ---- its life and death ---- */

/* Without memory to ask the channel ends, and the next one asks. */
static void
ask_for(struct spool_client *c, struct spool_job *job)
{
	struct msg m = { .type = MSG_token_ask };

	m.token_ask.token = job->token;
	job->state = SPOOL_JOB_ASKED;
	channel_send_or_end(c->channel, &m);
}

/* Jobs that are READY wait for the credit that follows. */
void
spool_client_attach(struct spool_client *c, struct channel *channel)
{
	struct spool_job *job;
	size_t cursor = 0;

	c->channel = channel;
	c->credit = 0;
	while ((job = map_u64_next(&c->jobs, &cursor)) != NULL)
		if (job->state == SPOOL_JOB_SENT)
			ask_for(c, job);
	c->ops->on_attached(c->ctx);
}

/* What of a body had gone over is lost with the one who had it, unless the
 * submission had gone, too. */
void
spool_client_detach(struct spool_client *c)
{
	struct spool_job *job;
	size_t cursor = 0;

	c->channel = NULL;
	c->credit = 0;
	while ((job = map_u64_next(&c->jobs, &cursor)) != NULL) {
		if (job->state == SPOOL_JOB_OPEN)
			fail_open(c, job, SUBMIT_IO);
		else if (job->state == SPOOL_JOB_READY && job->is_streamed)
			settle(c, job, SUBMIT_IO, 0);
		else if (job->state == SPOOL_JOB_ASKED)
			job->state = SPOOL_JOB_SENT;
	}
}

void
spool_client_give_up(struct spool_client *c)
{
	struct list *node;

	while ((node = list_first(&c->ready)) != NULL)
		settle(c, CONTAINER_OF(node, struct spool_job, node),
		    SUBMIT_IO, 0);
}
