/*
 * A flood of connections must cost less than it costs to make one.  Closing
 * with octets unread makes the kernel send a reset, which may overtake the
 * reply; so this is for clients that have said nothing yet, as all do that wait
 * for the greeting.
 */
#include "smtpd/refusal.h"

#include "common/conf/conf.h"
#include "common/os/fd.h"
#include "smtpd/server.h"

#include <sys/socket.h>

#define REPLY_MAX	((size_t)1024)

static void
log_count(struct server *sv)
{
	if (sv->refusals.untold > 0 &&
	    log_begin(sv->log, LOG_REFUSED_MORE, NULL)) {
		log_u64(sv->log, "count", sv->refusals.untold);
		log_end(sv->log);
	}
	sv->refusals.told = sv->refusals.untold = 0;
}

static void
on_timer(void *ctx)
{
	log_count(ctx);
}

enum err
refusals_init(struct server *sv)
{
	sv->refusals.told = sv->refusals.untold = 0;
	return timer_init(&sv->refusals.timer, sv->loop, on_timer, sv);
}

void
refusals_clear(struct server *sv)
{
	if (sv->log != NULL)
		log_count(sv);
	timer_clear(&sv->refusals.timer);
}

void
refusal_log(struct server *sv, const struct endpoint *client, const char *why)
{
	struct refusals *r = &sv->refusals;

	if (r->told == 0)
		timer_start(&r->timer, REFUSAL_SLOT_MS);
	if (r->told >= REFUSAL_LINES) {
		r->untold++;
		return;
	}
	r->told++;
	if (!log_begin(sv->log, LOG_REFUSED, NULL))
		return;
	log_ip(sv->log, "client", &client->addr);
	log_str(sv->log, "why", why);
	log_end(sv->log);
}

void
refusal_send(struct server *sv, int fd, const struct endpoint *client,
    enum rx_reply_id reply, const char *why)
{
	struct buf out;

	buf_init(&out, REPLY_MAX);
	if (reply != RX_REPLY_NONE)
		rx_reply_add(reply, span_str(sv->conf->hostname), SPAN_NONE,
		    &out);
	if (out.n > 0 && !buf_failed(&out))
		(void)send(fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_clear(&out);
	fd_close(&fd);
	refusal_log(sv, client, why);
}
