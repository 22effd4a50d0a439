#include "keyd/dovecot_link.h"

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "common/loop/outq.h"
#include "common/loop/timer.h"
#include "common/loop/watch.h"
#include "common/os/fd.h"
#include "common/os/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define OUT_BYTES	((size_t)64 * 1024)
#define IN_BYTES	((size_t)16 * 1024)	/* read in a turn */
/* Our number at Dovecot is a process id by custom.  Above all that Linux gives
 * it is nobody's, in no namespace. */
#define CLIENT_ID_MIN	(1u << 23)
#define CLIENT_ID_MASK	(CLIENT_ID_MIN - 1)

struct dovecot_link {
	struct loop *loop;
	const struct dovecot_link_ops *ops;
	void *ctx;
	struct list connections;	/* struct connection */
	struct connection *current;	/* is asked; NULL: none */
	struct connection *next;	/* greets; NULL: none */
	struct timer renew;
	unsigned mechanisms;
};

/* One that is neither current nor next ends with its last answer. */
struct connection {
	struct list node;
	struct dovecot_link *link;
	int fd;
	struct watch *watch;
	struct outq out;
	struct timer timer;		/* the greeting's, or the first job's */
	struct list jobs;		/* in the order of their times */
	unsigned count;
	unsigned noise;
	uint32_t last_id;
	uint32_t heard_id;		/* the last one when something came */
	struct dovecot dovecot;
};

/* ---- the end of jobs and connections ---- */

static void
finish(struct connection *c, struct dovecot_job *job, enum auth_result result)
{
	list_remove(&job->node);
	c->count--;
	job->result = result;
	job->on_done(job);
}

/* Overwritten before the memory is somebody else's. */
static void
drop(struct connection *c)
{
	struct dovecot_link *k = c->link;
	struct list *node;

	if (k->current == c)
		k->current = NULL;
	if (k->next == c)
		k->next = NULL;
	list_remove(&c->node);
	timer_clear(&c->timer);
	watch_free(&c->watch);
	fd_close(&c->fd);
	if (c->out.buf.p != NULL)
		explicit_bzero(c->out.buf.p, c->out.buf.size);
	outq_clear(&c->out);
	while ((node = list_first(&c->jobs)) != NULL)
		finish(c, CONTAINER_OF(node, struct dovecot_job, node),
		    AUTH_LATER);
	explicit_bzero(c, sizeof(*c));
	free(c);
}

/* Of one that was about to end by itself nothing else is said. */
static void
lose(struct connection *c, const char *why)
{
	struct dovecot_link *k = c->link;
	const bool is_missed = k->current == c || k->next == c;

	drop(c);
	if (!is_missed)
		return;
	if (k->current == NULL)
		k->ops->on_lost(k->ctx, why);
	if (k->next == NULL)
		k->ops->on_want(k->ctx, k->current != NULL);
}

/* False: it was the last answer, and C is gone. */
static bool
keep(struct connection *c)
{
	const struct dovecot_link *k = c->link;

	if (k->current == c || k->next == c || c->count > 0)
		return true;
	drop(c);
	return false;
}

void
dovecot_link_close(struct dovecot_link *k)
{
	struct list *node;

	timer_stop(&k->renew);
	/* what is answered must find nobody to ask */
	k->current = k->next = NULL;
	while ((node = list_first(&k->connections)) != NULL)
		drop(CONTAINER_OF(node, struct connection, node));
}

/* ---- times ---- */

static void
start_timer(struct connection *c)
{
	struct list *node = list_first(&c->jobs);

	if (!c->dovecot.is_ready)
		return;
	if (node == NULL)
		timer_stop(&c->timer);
	else
		timer_start_at(&c->timer, CONTAINER_OF(node,
		    struct dovecot_job, node)->until_ms);
}

/* Something came since it was asked. */
static bool
is_heard(const struct connection *c, const struct dovecot_job *job)
{
	return (int32_t)(c->heard_id - job->id) >= 0;
}

/* One answer that is late is that question's misfortune; when nothing at all
 * came meanwhile, nothing will. */
static void
on_time(void *ctx)
{
	struct connection *c = ctx;
	struct list *node;

	if (!c->dovecot.is_ready) {
		lose(c, "it did not greet in time");
		return;
	}
	while ((node = list_first(&c->jobs)) != NULL) {
		struct dovecot_job *job = CONTAINER_OF(node,
		    struct dovecot_job, node);

		if (job->until_ms > loop_now_ms(c->link->loop))
			break;
		if (!is_heard(c, job)) {
			lose(c, "it did not answer in time");
			return;
		}
		finish(c, job, AUTH_LATER);
	}
	if (keep(c))
		start_timer(c);
}

static void
on_renew(void *ctx)
{
	struct dovecot_link *k = ctx;

	if (k->next == NULL)
		k->ops->on_want(k->ctx, k->current != NULL);
}

/* It has greeted, and takes the place of the one before. */
static void
take_over(struct connection *c)
{
	struct dovecot_link *k = c->link;
	struct connection *before = k->current;
	const bool is_news = before == NULL ||
	    k->mechanisms != c->dovecot.mechanisms;

	k->next = NULL;
	k->current = c;
	k->mechanisms = c->dovecot.mechanisms;
	timer_stop(&c->timer);
	timer_start(&k->renew, k->ops->renew_ms);
	if (before != NULL)
		(void)keep(before);
	if (is_news)
		k->ops->on_ready(k->ctx);
}

/* ---- bytes ---- */

/* False: it was lost. */
static bool
push(struct connection *c)
{
	const enum err e = outq_write(&c->out, c->fd);

	if (e == ERR_IO) {
		lose(c, "it hung up");
		return false;
	}
	watch_set(c->watch, e == OK ? WATCH_READ : WATCH_READ | WATCH_WRITE);
	return true;
}

static struct dovecot_job *
find(struct connection *c, uint32_t id)
{
	struct list *node;

	for (node = list_first(&c->jobs); node != NULL;
	    node = list_next(&c->jobs, node)) {
		struct dovecot_job *job = CONTAINER_OF(node,
		    struct dovecot_job, node);

		if (job->id == id)
			return job;
	}
	return NULL;
}

/* Only a token that is refused has a challenge, and wants this answer.  False:
 * the connection makes no sense. */
static bool
take_challenge(struct connection *c, struct dovecot_job *job,
    const struct dovecot_line *line)
{
	memcpy(job->challenge, line->challenge, line->challenge_n);
	job->challenge_n = line->challenge_n;
	dovecot_put_surrender(job->id, outq_buf(&c->out));
	return !buf_failed(&c->out.buf);
}

static bool
take_answer(struct connection *c, const struct dovecot_line *line)
{
	struct dovecot_job *job = find(c, line->id);

	/* its time was over */
	if (job == NULL)
		return ++c->noise <= DOVECOT_LINK_NOISE_MAX;
	if (line->kind == DOVECOT_CONT)
		return job->mechanism == DOVECOT_OAUTHBEARER &&
		    ++c->noise <= DOVECOT_LINK_NOISE_MAX &&
		    take_challenge(c, job, line);
	c->noise = 0;
	if (line->kind == DOVECOT_OK) {
		memcpy(job->user, line->user, line->user_n);
		job->user_n = line->user_n;
	}
	finish(c, job, line->is_later ? AUTH_LATER
	    : line->kind == DOVECOT_OK ? AUTH_GOOD : AUTH_BAD);
	return true;
}

/* False: the connection makes no sense. */
static bool
take_event(struct connection *c, enum dovecot_event event,
    const struct dovecot_line *line)
{
	switch (event) {
	case DOVECOT_READY:
		take_over(c);
		return true;
	case DOVECOT_ANSWER:
		return take_answer(c, line);
	case DOVECOT_NOISE:
		return ++c->noise <= DOVECOT_LINK_NOISE_MAX;
	default:
		return false;
	}
}

static bool
take_bytes(struct connection *c, struct span input)
{
	struct dovecot_line line;
	enum dovecot_event event;
	bool is_sane = true;

	while (is_sane) {
		event = dovecot_next(&c->dovecot, &input, &line);
		if (event == DOVECOT_MORE)
			break;
		is_sane = take_event(c, event, &line);
	}
	explicit_bzero(&line, sizeof(line));
	return is_sane;
}

static void
pull(struct connection *c)
{
	uint8_t bytes[IN_BYTES];
	const ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	bool is_sane;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lose(c, "it hung up");
		return;
	}
	c->heard_id = c->last_id;
	is_sane = take_bytes(c, span_of(bytes, (size_t)n));
	explicit_bzero(bytes, (size_t)n);
	if (!is_sane)
		lose(c, "it says what makes no sense");
	else if (keep(c) && push(c))
		start_timer(c);
}

static void
on_ready(void *ctx, unsigned events)
{
	struct connection *c = ctx;

	if ((events & WATCH_WRITE) != 0 && !push(c))
		return;
	if ((events & WATCH_READ) != 0)
		pull(c);
}

/* ---- use ---- */

static bool
is_unix_stream(int fd)
{
	int type = 0, domain = 0;
	socklen_t size = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
	    type == SOCK_STREAM && domain == AF_UNIX;
}

/* Its buffer has its size at once, as memory that grows leaves copies
 * behind. */
static enum err
prepare(struct connection *c, uint32_t id)
{
	enum err e;

	outq_init(&c->out, OUT_BYTES, OUT_BYTES);
	c->out.is_secret = true;
	if (buf_reserve(&c->out.buf, OUT_BYTES) == NULL)
		return ERR_NOMEM;
	e = timer_init(&c->timer, c->link->loop, on_time, c);
	if (e == OK)
		e = watch_new(c->link->loop, c->fd, on_ready, c, &c->watch);
	if (e != OK)
		return e;
	dovecot_init(&c->dovecot);
	dovecot_put_hello(id, outq_buf(&c->out));
	watch_set(c->watch, WATCH_READ | WATCH_WRITE);
	timer_start(&c->timer, c->link->ops->greeting_ms);
	return OK;
}

/* What follows is in the loop, failures too. */
enum err
dovecot_link_open(struct dovecot_link *k, int fd)
{
	struct connection *c = NULL;
	uint64_t random;
	enum err e = is_unix_stream(fd) ? random_u64(&random) : ERR_PEER;

	if (e == OK && (c = calloc(1, sizeof(*c))) == NULL)
		e = ERR_NOMEM;
	if (e != OK) {
		fd_close(&fd);
		return e;
	}
	c->link = k;
	c->fd = fd;
	list_init(&c->jobs);
	list_add_last(&k->connections, &c->node);
	e = prepare(c, CLIENT_ID_MIN | ((uint32_t)random & CLIENT_ID_MASK));
	if (e != OK) {
		drop(c);
		return e;
	}
	if (k->next != NULL)
		drop(k->next);
	k->next = c;
	return OK;
}

unsigned
dovecot_link_mechanisms(const struct dovecot_link *k)
{
	return k->mechanisms;
}

enum err
dovecot_link_ask(struct dovecot_link *k, struct dovecot_job *job,
    struct dovecot_question *q)
{
	struct connection *c = k->current;
	enum err e;

	if (c == NULL)
		return ERR_AGAIN;
	if (c->count == DOVECOT_LINK_JOBS_MAX)
		return ERR_FULL;
	q->id = c->last_id + 1;
	e = dovecot_put_question(q, outq_buf(&c->out));
	if (e != OK)
		return e;
	job->id = ++c->last_id;
	job->mechanism = q->mechanism;
	job->user_n = job->challenge_n = 0;
	job->until_ms = mtime_add(loop_now_ms(k->loop), k->ops->answer_ms);
	list_add_last(&c->jobs, &job->node);
	c->count++;
	watch_set(c->watch, WATCH_READ | WATCH_WRITE);
	start_timer(c);
	return OK;
}

/* ---- life ---- */

enum err
dovecot_link_new(struct loop *l, const struct dovecot_link_ops *ops,
    void *ctx, struct dovecot_link **out)
{
	struct dovecot_link *k = calloc(1, sizeof(*k));
	enum err e;

	if (k == NULL)
		return ERR_NOMEM;
	k->loop = l;
	k->ops = ops;
	k->ctx = ctx;
	k->mechanisms = DOVECOT_PLAIN;
	list_init(&k->connections);
	e = timer_init(&k->renew, l, on_renew, k);
	if (e != OK)
		free(k);
	else
		*out = k;
	return e;
}

void
dovecot_link_free(struct dovecot_link **out)
{
	struct dovecot_link *k = *out;
	struct list *node;

	*out = NULL;
	if (k == NULL)
		return;
	while ((node = list_first(&k->connections)) != NULL) {
		struct connection *c = CONTAINER_OF(node, struct connection,
		    node);

		while (list_take_first(&c->jobs) != NULL)
			c->count--;
		drop(c);
	}
	timer_clear(&k->renew);
	free(k);
}
