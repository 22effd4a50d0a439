#include "deliverd/converted.h"

#include "common/log/log.h"
#include "common/mail/queue_id.h"
#include "deliverd/session.h"

static const char *
broken(const struct mime_plan *p)
{
	if (p->breaks_signed)
		return "; its sender's signature does not hold any more";
	if (p->breaks_dkim)
		return "; its DKIM signature does not hold any more";
	return "";
}

static void
log_converted(const struct session *s, const struct job *j)
{
	struct log *log = s->d->log;
	const struct mime_plan *p = j->mail.plan;
	char id[QUEUE_ID_SIZE];

	if (!log_begin(log, LOG_HOP_CONVERTED, NULL))
		return;
	queue_id_format(j->id, id);
	log_str(log, "id", id);
	log_text(log, "host", span_str(s->host));
	log_u64(log, "size", j->mail.size);
	log_u64(log, "sent", p->size);
	if (p->breaks_signed || p->breaks_dkim)
		log_str(log, "breaks", p->breaks_signed ? "signed" : "dkim");
	log_end(log);
}

/* The reply is cut rather than the note: its beginning says it all. */
struct span
converted_note(const struct session *s, const struct job *j,
    const struct tx_rcpt *told, struct span reply,
    char room[CONVERTED_TEXT_SIZE])
{
	const char *words[3] = { " (sent as 7-bit text", NULL, ")" };
	size_t n = 0, at;

	if (!j->mail.is_converted || j->mail.plan == NULL ||
	    told->stage != TX_STAGE_FINAL)
		return reply;
	log_converted(s, j);
	words[1] = j->mail.plan->is_needed ? broken(j->mail.plan) : "";
	for (size_t i = 0; i < 3; i++)
		n += strlen(words[i]);
	reply = span_sub(reply, 0, CONVERTED_TEXT_SIZE - n);
	if (reply.n > 0)
		memcpy(room, reply.p, reply.n);
	at = reply.n;
	for (size_t i = 0; i < 3; i++) {
		memcpy(room + at, words[i], strlen(words[i]));
		at += strlen(words[i]);
	}
	return span_of(room, at);
}
