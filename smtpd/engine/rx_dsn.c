/*
 * The parameters of RFC 3461 section 4.  They are kept as they were given, for
 * they are passed on as they are (5.2.1); what is kept has been checked, so
 * that nothing else can be written into a command or a report.
 */
#include "smtpd/engine/rx_params.h"

#include "common/base/check.h"
#include "common/mail/orcpt.h"
#include "common/mail/xtext.h"
#include "smtpd/engine/rx_impl.h"

/* 4.3 */
enum rx_reply_id
rx_dsn_ret(struct rx *rx, const struct smtp_param *p, struct rx_params *out)
{
	(void)rx;
	if (p->has_value && span_equal_nocase(p->value, SPAN_LIT("FULL")))
		out->ret = ENVELOPE_RET_FULL;
	else if (p->has_value && span_equal_nocase(p->value, SPAN_LIT("HDRS")))
		out->ret = ENVELOPE_RET_HDRS;
	else
		return RX_REPLY_PARAM_RET;
	return RX_REPLY_NONE;
}

/* 4.4 */
enum rx_reply_id
rx_dsn_envid(struct rx *rx, const struct smtp_param *p, struct rx_params *out)
{
	(void)rx;
	if (!p->has_value || p->value.n == 0 ||
	    p->value.n > ENVELOPE_ENVID_MAX || !xtext_is_printable(p->value))
		return RX_REPLY_PARAM_ENVID;
	out->envid = p->value;
	return RX_REPLY_NONE;
}

/* 4.1: NEVER, or a list of the others. */
enum rx_reply_id
rx_dsn_notify(struct rx *rx, const struct smtp_param *p, struct rx_params *out)
{
	static const struct {
		struct span word;
		enum envelope_notify flag;
	} words[] = {
		{ SPAN_LIT("NEVER"), ENVELOPE_NOTIFY_NEVER },
		{ SPAN_LIT("SUCCESS"), ENVELOPE_NOTIFY_SUCCESS },
		{ SPAN_LIT("FAILURE"), ENVELOPE_NOTIFY_FAILURE },
		{ SPAN_LIT("DELAY"), ENVELOPE_NOTIFY_DELAY },
	};
	struct span rest = p->has_value ? p->value : SPAN_NONE;
	bool has_more = true;

	(void)rx;
	while (has_more) {
		size_t n = span_find(rest, ','), i = 0;

		while (i < COUNT_OF(words) && !span_equal_nocase(
		    span_sub(rest, 0, n), words[i].word))
			i++;
		if (i == COUNT_OF(words) ||
		    (out->notify & words[i].flag) != 0)
			return RX_REPLY_PARAM_NOTIFY;
		out->notify |= (uint8_t)words[i].flag;
		has_more = n < rest.n;
		rest = span_from(rest, n + 1);
	}
	if ((out->notify & ENVELOPE_NOTIFY_NEVER) != 0 &&
	    out->notify != ENVELOPE_NOTIFY_NEVER)
		return RX_REPLY_PARAM_NOTIFY;
	return RX_REPLY_NONE;
}

/* 4.2, and RFC 6533 section 3 */
enum rx_reply_id
rx_dsn_orcpt(struct rx *rx, const struct smtp_param *p, struct rx_params *out)
{
	if (!p->has_value || p->value.n > ENVELOPE_ORCPT_MAX ||
	    !orcpt_is_valid(p->value, rx->mail.is_utf8))
		return RX_REPLY_PARAM_ORCPT;
	out->orcpt = p->value;
	return RX_REPLY_NONE;
}
