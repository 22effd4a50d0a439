/*
 * The lines that a session leaves in the log, in one place, so that their
 * names and their order agree.
 *
 * What a client says (HELO name, addresses) is escaped by log_text() and
 * log_address(); nothing of it reaches a line raw.
 */
#include "smtpd/session_log.h"

#include "smtpd/server.h"
#include "smtpd/session_gate.h"

#include <stdio.h>
#include <string.h>

static void
log_client(struct log *log, const struct session *s)
{
	log_ip(log, "client", &s->client.addr);
}

/* What is known of it by others. */
static void
log_gate(struct log *log, const struct session *s)
{
	if (session_gate_name(s).n > 0)
		log_text(log, "name", session_gate_name(s));
	if (gate_is_unanswered(s->gate))
		log_str(log, "gate", "unanswered");
}

void
session_log_connected(const struct session *s)
{
	struct log *log = s->server->log;

	if (!log_begin(log, LOG_CONNECTED, NULL))
		return;
	log_client(log, s);
	log_u64(log, "port", s->client.port);
	if (s->proxy.family != IPADDR_NONE)
		log_ip(log, "proxy", &s->proxy);
	log_end(log);
}

static void
log_told(struct log *log, const char *key, const struct smtp_xclient *x,
    enum smtp_xclient_attr attr, const struct smtp_xclient_text *text)
{
	if (smtp_xclient_has(x, attr))
		log_text(log, key, span_of(text->text, text->n));
}

void
session_log_xclient(const struct session *s)
{
	const struct smtp_xclient *x = rx_xclient(s->rx);
	struct log *log = s->server->log;

	if (!log_begin(log, LOG_XCLIENT, NULL))
		return;
	log_ip(log, "by", &s->peer.addr);
	log_client(log, s);
	log_u64(log, "port", s->client.port);
	if (x == NULL) {
		log_str(log, "why", "said before TLS: forgotten");
		log_end(log);
		return;
	}
	log_told(log, "name", x, SMTP_XCLIENT_NAME, &x->name);
	log_told(log, "login", x, SMTP_XCLIENT_LOGIN, &x->login);
	if (smtp_xclient_has(x, SMTP_XCLIENT_DESTADDR))
		log_ip(log, "server", &x->server.addr);
	log_end(log);
}

/* The HELO name is the dialogue's, so this comes before rx_free(). */
void
session_log_gone(const struct session *s, const char *how)
{
	struct log *log = s->server->log;

	if (!log_begin(log, LOG_DISCONNECTED, NULL))
		return;
	log_client(log, s);
	log_text(log, "helo", rx_helo(s->rx));
	log_u64(log, "messages", s->accepted);
	log_ms(log, "after", loop_now_ms(s->server->loop) - s->begun_at_ms);
	log_str(log, "how", how);
	log_end(log);
}

/* Of a session inside TLS: "TLSv1.3/TLS_AES_256_GCM_SHA384". */
static void
log_tls(struct log *log, const struct session *s)
{
	char text[96];

	if (s->facts.cipher == NULL)
		return;
	(void)snprintf(text, sizeof(text), "%s/%s", s->facts.version,
	    s->facts.cipher);
	log_str(log, "tls", text);
}

void
session_log_tls_failed(const struct session *s)
{
	struct log *log = s->server->log;

	if (!log_begin(log, LOG_TLS_FAILED, NULL))
		return;
	log_client(log, s);
	log_str(log, "why", tls_filter_fault(s->tls));
	log_end(log);
}

/* That it makes its client nobody. */
void
session_log_certificate(const struct session *s,
    const struct tls_identity *shown, const char *why)
{
	struct log *log = s->server->log;

	if (!log_begin(log, LOG_CERTIFICATE_REFUSED, NULL))
		return;
	log_client(log, s);
	log_str(log, "certificate", shown->fingerprint);
	log_str(log, "why", why);
	log_end(log);
}

/* Who sent it, and how that was proved. */
static void
log_user(struct log *log, const struct session *s)
{
	const char *mechanism = rx_user_mechanism(s->rx);

	if (rx_user(s->rx).n == 0)
		return;
	log_text(log, "user", rx_user(s->rx));
	log_str(log, "mechanism", mechanism);
	if (s->identity != NULL && strcmp(mechanism, "EXTERNAL") == 0)
		log_str(log, "certificate", s->identity->fingerprint);
}

/* The name as it was tried, right or wrong; never a word of the password. */
void
session_log_auth(const struct session *s, const struct rx_question *q,
    const char *outcome)
{
	struct log *log = s->server->log;

	if (!log_begin(log, LOG_AUTH_FAILED, NULL))
		return;
	log_client(log, s);
	log_text(log, "user", q->user);
	log_str(log, "mechanism", q->mechanism);
	log_str(log, "why", outcome);
	log_end(log);
}

void
session_log_accepted(const struct session *s, uint64_t id)
{
	struct log *log = s->server->log;
	struct rx_message m;

	if (!log_begin(log, LOG_ACCEPTED, NULL))
		return;
	rx_message(s->rx, &m);
	log_queue_id(log, "id", id);
	log_address(log, "from", m.head.sender);
	log_address(log, "to", m.first_rcpt);
	log_u64(log, "nrcpt", m.rcpt_count);
	log_u64(log, "size", m.body_bytes);
	if (m.head.priority != 0)
		log_i64(log, "priority", m.head.priority);
	log_client(log, s);
	log_text(log, "helo", m.head.helo);
	log_gate(log, s);
	log_user(log, s);
	log_tls(log, s);
	log_end(log);
}

/* What stands between < and >, for it may be no valid path; else all. */
static struct span
path_of(struct span argument)
{
	size_t at = span_find(argument, '<');
	struct span path = span_from(argument, at + 1);

	if (at == argument.n)
		return argument;
	while (path.n > 0 && path.p[path.n - 1] != '>')
		path.n--;
	if (path.n == 0)
		return argument;
	path.n--;
	return path;
}

void
session_log_call(const struct session *s, struct span domain)
{
	struct log *log = s->server->log;

	if (!log_begin(log, LOG_CALLED, NULL))
		return;
	log_text(log, "domain", domain);
	log_client(log, s);
	log_end(log);
}

/* What is no policy (a typo, a verb that doesn't exist) is logged for those
 * who debug, or scanners would fill the log. */
void
session_log_refusal(const struct session *s)
{
	struct log *log = s->server->log;
	struct rx_refusal r;

	rx_refusal(s->rx, &r);
	if (!r.is_policy && log_level(log) < LOG_LEVEL_DEBUG)
		return;
	if (!log_begin(log, LOG_REJECTED, NULL))
		return;
	log_str(log, "stage", r.stage);
	log_text(log, "reply", r.reply);
	if (r.verb == SMTP_VERB_MAIL)
		log_address(log, "from", path_of(r.argument));
	else
		log_address(log, "from", r.from);
	if (r.verb == SMTP_VERB_RCPT)
		log_address(log, "to", path_of(r.argument));
	log_client(log, s);
	log_text(log, "helo", rx_helo(s->rx));
	log_gate(log, s);
	log_end(log);
}

void
session_log_not_stored(const struct session *s, enum submit_result result)
{
	static const char *const words[SUBMIT_RESULT_COUNT] = {
		[SUBMIT_ACCEPTED] = "stored",
		[SUBMIT_UNKNOWN] = "queued died before it was stored",
		[SUBMIT_NO_ROOM] = "no room in the spool",
		[SUBMIT_IO] = "the spool could not be written",
		[SUBMIT_MALFORMED] = "queued found the submission malformed",
		[SUBMIT_OVER_QUOTA] = "a quota is used up",
		[SUBMIT_BEYOND_QUOTA] = "more recipients than a quota has",
	};
	struct log *log = s->server->log;
	struct rx_message m;

	if (!log_begin(log, LOG_REJECTED, NULL))
		return;
	rx_message(s->rx, &m);
	log_str(log, "stage", "spool");
	log_str(log, "why", words[result]);
	log_address(log, "from", m.head.sender);
	log_address(log, "to", m.first_rcpt);
	log_u64(log, "nrcpt", m.rcpt_count);
	log_client(log, s);
	log_end(log);
}
