#include "deliverd/session_log.h"

#include "common/log/log.h"
#include "deliverd/session.h"
#include "deliverd/session_unix.h"

void
session_log_up(const struct session *s)
{
	struct log *log = s->d->log;

	if (!log_begin(log, LOG_HOP_CONNECTED, NULL))
		return;
	log_text(log, "host", span_str(s->host));
	session_log_at(s);
	if (s->tls_text[0] != '\0')
		log_str(log, "tls", s->tls_text);
	log_end(log);
}

void
session_log_violation(const struct session *s)
{
	struct log *log = s->d->log;

	if (!tx_is_violated(s->tx) || !log_begin(log, LOG_HOP_VIOLATION, NULL))
		return;
	log_text(log, "host", span_str(s->host));
	session_log_at(s);
	log_text(log, "reason", tx_trouble(s->tx)->text);
	log_end(log);
}
