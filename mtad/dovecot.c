#include "mtad/dovecot.h"

#include "common/base/mtime.h"
#include "common/os/sock_unix.h"
#include "mtad/child.h"

static void
log_lost(struct mtad *m, enum err e)
{
	if (m->dovecot.is_lost || m->dovecot.is_served ||
	    !log_begin(m->log, LOG_DOVECOT_LOST, NULL))
		return;
	m->dovecot.is_lost = true;
	log_str(m->log, "path", m->conf->auth.dovecot);
	log_str(m->log, "why", e == ERR_PEER ? "nobody serves it"
	    : e == ERR_AGAIN ? "it takes no connection" : err_text(e));
	log_end(m->log);
}

static enum err
hand_over(struct child *keyd, const char *path)
{
	struct msg msg = { .type = MSG_dovecot };
	int sock;
	enum err e = sock_unix_try(path, &sock);

	if (e != OK)
		return e;
	msg.dovecot.path = span_str(path);
	return channel_send_fd(keyd->channel, &msg, sock);
}

static void
on_time(void *ctx)
{
	struct mtad *m = ctx;
	struct child *keyd = child_find(m, ROLE_KEYD, 0);
	enum err e;

	/* a new keyd will ask for itself; so does it when the path changes */
	if (keyd == NULL || m->conf->auth.dovecot[0] == '\0')
		return;
	m->dovecot.tried_at_ms = loop_now_ms(m->loop);
	e = hand_over(keyd, m->conf->auth.dovecot);
	if (e == OK) {
		m->dovecot.is_lost = false;
	} else {
		log_lost(m, e);
		timer_start(&m->dovecot.timer, DOVECOT_PAUSE_MS);
	}
}

void
dovecot_wanted(struct mtad *m, bool is_served)
{
	const int64_t at_ms = mtime_add(m->dovecot.tried_at_ms,
	    DOVECOT_PAUSE_MS);

	m->dovecot.is_served = is_served;
	if (!timer_is_running(&m->dovecot.timer))
		timer_start_at(&m->dovecot.timer, at_ms);
}

enum err
dovecot_init(struct mtad *m)
{
	m->dovecot.tried_at_ms = loop_now_ms(m->loop) - DOVECOT_PAUSE_MS;
	return timer_init(&m->dovecot.timer, m->loop, on_time, m);
}

void
dovecot_clear(struct mtad *m)
{
	timer_clear(&m->dovecot.timer);
}
