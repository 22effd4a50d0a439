/*
 * What is to be returned at its time goes only to hosts that return it; of the
 * rest the sender hears when a host took it that will not keep the time.
 */
#include "deliverd/engine/tx_by.h"

#include "common/mail/envelope.h"

const char *
tx_by_refusal(const struct tx *t, const struct tx_mail *m,
    struct status *status)
{
	if ((m->by & ENVELOPE_BY_RETURN) == 0)
		return NULL;
	*status = STATUS(5, 4, 7);
	if (m->by_seconds <= 0)
		return "the time is over by which its sender wants it "
		    "delivered";
	if (!smtp_ext_has(&t->ext, SMTP_EXT_DELIVERBY)) {
		*status = STATUS(5, 3, 3);
		return "its sender wants it back if it is not delivered in "
		    "time, which the host can't promise (no DELIVERBY)";
	}
	if ((uint64_t)m->by_seconds < t->ext.by_min)
		return "there is less time left for its delivery than the "
		    "host asks for (DELIVERBY)";
	return NULL;
}

void
tx_by_put(const struct tx *t, const struct tx_mail *m, struct buf *out)
{
	if (m->by == 0 || !smtp_ext_has(&t->ext, SMTP_EXT_DELIVERBY))
		return;
	buf_addf(out, " BY=%lld;%s%s", (long long)m->by_seconds,
	    (m->by & ENVELOPE_BY_RETURN) != 0 ? "R" : "N",
	    (m->by & ENVELOPE_BY_TRACE) != 0 ? "T" : "");
}

/* Section 4.1.4.2; of one that is late the sender has heard already. */
static bool
is_untimed(const struct tx *t, const struct tx_mail *m)
{
	return m->by != 0 && m->by_seconds >= 0 &&
	    !smtp_ext_has(&t->ext, SMTP_EXT_DELIVERBY);
}

bool
tx_by_is_lost(const struct tx *t, const struct tx_mail *m)
{
	return (m->by & ENVELOPE_BY_TRACE) != 0 || is_untimed(t, m);
}

uint8_t
tx_by_notify(const struct tx *t, const struct tx_mail *m, uint8_t notify)
{
	if (!is_untimed(t, m) || (notify & ENVELOPE_NOTIFY_NEVER) != 0)
		return notify;
	if (notify == 0)
		notify = ENVELOPE_NOTIFY_FAILURE;
	return notify | ENVELOPE_NOTIFY_DELAY;
}
