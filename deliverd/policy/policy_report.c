#include "deliverd/policy/policy_report.h"

#include "common/base/hex.h"

static bool
find_kind(const struct policy_facts *f, enum tlsrpt_kind *kind)
{
	if (policy_wants_dane(f->tls, false) &&
	    f->dane->state != HOP_DANE_NONE) {
		*kind = TLSRPT_TLSA;
		return true;
	}
	if (policy_wants_sts(f->tls) && f->sts->state != POLICY_STS_NONE) {
		*kind = TLSRPT_STS;
		return true;
	}
	*kind = TLSRPT_NO_POLICY;
	return f->tls == CONF_ROUTE_TLS_OPPORTUNISTIC_DANE_STS;
}

/* A route may demand DANE of a host that has none, which is no fault of the
 * domain's: it is told all the same, as RFC 8460 4.3.2.1 has a word for it. */
static enum tlsrpt_result
skipped_for_dane(const struct hop_dane *dane)
{
	switch (dane->state) {
	case HOP_DANE_FAILED:
		return TLSRPT_DNSSEC_INVALID;
	case HOP_DANE_UNUSABLE:
		return TLSRPT_TLSA_INVALID;
	case HOP_DANE_NONE:
	case HOP_DANE_USABLE:
		break;
	}
	return TLSRPT_DANE_REQUIRED;
}

static enum tlsrpt_result
find_result(const struct policy_facts *f, enum policy_end end,
    enum tlsrpt_kind kind)
{
	switch (end) {
	case POLICY_END_TLS:
		return TLSRPT_SUCCESS;
	case POLICY_END_NONE:
		return TLSRPT_NO_STARTTLS;
	case POLICY_END_NAME:
		return TLSRPT_WRONG_NAME;
	case POLICY_END_TIME:
		return TLSRPT_EXPIRED;
	case POLICY_END_TRUST:
		return TLSRPT_NOT_TRUSTED;
	case POLICY_END_SKIPPED:
		if (kind == TLSRPT_STS)
			return TLSRPT_INVALID;	/* the host isn't of it */
		return skipped_for_dane(f->dane);
	case POLICY_END_BROKEN:
		break;
	}
	return TLSRPT_INVALID;
}

bool
policy_report(const struct policy_facts *f, enum policy_end end,
    enum tlsrpt_result trouble, struct policy_report *out)
{
	if (f->tls == CONF_ROUTE_TLS_DANE && end == POLICY_END_SKIPPED)
		out->kind = TLSRPT_TLSA;
	else if (!find_kind(f, &out->kind))
		return false;
	out->result = find_result(f, end, out->kind);
	if (out->kind == TLSRPT_STS && f->sts->state == POLICY_STS_UNKNOWN)
		out->result = trouble;
	return true;
}

/* As in a zone file: "3 1 1 1F85...". */
static void
put_record(const struct dns_tlsa *r, struct buf *out)
{
	buf_addf(out, "%u %u %u ", r->usage, r->selector, r->matching);
	hex_encode(out, r->data);
	buf_add_byte(out, '\n');
}

static void
put_records(const struct hop_dane *dane, struct buf *out)
{
	for (size_t i = 0; i < dane->n; i++) {
		if (out->n + 2 * dane->records[i].data.n + 16 >
		    POLICY_REPORT_TEXT_MAX)
			return;
		put_record(&dane->records[i], out);
	}
}

/* RFC 8461 3.2; how long it holds is not known here. */
static void
put_sts(const struct policy_sts *sts, struct span mx, struct buf *out)
{
	buf_addf(out, "version: STSv1\nmode: %s\n",
	    sts->state == POLICY_STS_ENFORCE ? "enforce" : "testing");
	while (mx.n > 0) {
		const size_t n = span_find(mx, '\n');

		if (out->n + n + 8 > POLICY_REPORT_TEXT_MAX)
			return;
		buf_add_str(out, "mx: ");
		buf_add_span(out, span_sub(mx, 0, n));
		buf_add_byte(out, '\n');
		mx = span_from(mx, n + 1);
	}
}

void
policy_report_text(const struct policy_facts *f, enum tlsrpt_kind kind,
    struct span mx, struct buf *out)
{
	if (kind == TLSRPT_TLSA)
		put_records(f->dane, out);
	else if (kind == TLSRPT_STS && f->sts->state != POLICY_STS_UNKNOWN)
		put_sts(f->sts, mx, out);
}
