#include "keyd/inquiry.h"

#include "common/os/fd.h"

#include <stdlib.h>

struct inquiry {
	struct inquiry_setup setup;
	struct dovecot_link *link;
	struct buf path;		/* of its socket; empty: nobody */
	bool is_lost;			/* and it was said */
};

static void
log_state(struct inquiry *q, enum log_id id, const char *why)
{
	struct log *log = q->setup.log;

	if (!log_begin(log, id, NULL))
		return;
	log_text(log, "path", buf_span(&q->path));
	if (why != NULL)
		log_str(log, "why", why);
	log_end(log);
}

static void
on_ready(void *ctx)
{
	struct inquiry *q = ctx;

	q->is_lost = false;
	log_state(q, LOG_DOVECOT_READY, NULL);
	q->setup.on_offer(q->setup.ctx);
}

/* Said once, however often it is tried in vain. */
static void
on_lost(void *ctx, const char *why)
{
	struct inquiry *q = ctx;

	if (!q->is_lost)
		log_state(q, LOG_DOVECOT_LOST, why);
	q->is_lost = true;
}

static void
on_want(void *ctx, bool is_served)
{
	struct inquiry *q = ctx;
	struct msg m = { .type = MSG_dovecot_want };

	m.dovecot_want.is_served = is_served;
	channel_send_or_end(q->setup.parent, &m);
}

/* Another one than before, or nobody. */
static void
use(struct inquiry *q, struct span path)
{
	dovecot_link_close(q->link);
	buf_reset(&q->path);
	buf_add_span(&q->path, path);
	q->is_lost = false;
	auth_set_dovecot(q->setup.auth, path.n > 0 ? q->link : NULL);
	q->setup.on_offer(q->setup.ctx);
	if (path.n > 0)
		on_want(q, false);
}

/* What was reached may be another than is to be asked by now. */
void
inquiry_take(struct inquiry *q, struct span path, int fd)
{
	const bool is_same = span_equal(path, buf_span(&q->path));

	if (fd < 0) {
		if (!is_same)
			use(q, path);
		return;
	}
	if (!is_same) {
		fd_close(&fd);
	} else if (dovecot_link_open(q->link, fd) != OK) {
		on_lost(q, "unusable socket, or no memory");
		on_want(q, false);
	}
}

enum err
inquiry_new(const struct inquiry_setup *setup, struct inquiry **out)
{
	static const struct dovecot_link_ops ops = {
		.on_ready = on_ready, .on_lost = on_lost, .on_want = on_want,
		.greeting_ms = DOVECOT_LINK_GREETING_MS,
		.answer_ms = DOVECOT_LINK_ANSWER_MS,
		.renew_ms = DOVECOT_LINK_RENEW_MS,
	};
	struct inquiry *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return ERR_NOMEM;
	q->setup = *setup;
	buf_init(&q->path, INQUIRY_PATH_MAX);
	if (buf_reserve(&q->path, INQUIRY_PATH_MAX) == NULL ||
	    dovecot_link_new(setup->loop, &ops, q, &q->link) != OK) {
		inquiry_free(&q);
		return ERR_NOMEM;
	}
	*out = q;
	return OK;
}

void
inquiry_free(struct inquiry **out)
{
	struct inquiry *q = *out;

	*out = NULL;
	if (q == NULL)
		return;
	auth_set_dovecot(q->setup.auth, NULL);
	dovecot_link_free(&q->link);
	buf_clear(&q->path);
	free(q);
}
