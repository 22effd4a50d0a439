/*
 * What the packet said, in the words of the message that siblings understand.
 * Three outcomes must never be mixed up, because mail's fate hangs on them:
 * there are records, there is nothing (a lasting failure, or the next step),
 * and it could not be found out (try again later).
 */
#include "dnsd/answer.h"

/* /etc/hosts has no TTLs; a changed file is told by the parent anyhow */
static const uint32_t hosts_ttl_s = 60;

/* Records that nobody can use are a reason to ask again later, never one to
 * give mail up. */
static enum dns_status
status_of(enum dns_wire_result result)
{
	switch (result) {
	case DNS_WIRE_DATA: return DNS_OK;
	case DNS_WIRE_NO_DATA: return DNS_NO_DATA;
	case DNS_WIRE_NO_NAME: return DNS_NO_NAME;
	case DNS_WIRE_FAILED:
	case DNS_WIRE_UNUSABLE: break;
	}
	return DNS_TEMPORARY;
}

/* For the log and for the reason of a deferral, by RCODE (RFC 1035 4.1.1). */
static const char *
failure_text(const struct dns_wire_answer *a)
{
	switch (a->rcode) {
	case 0: return "the records are malformed";
	case 1: return "the name server could not read the question";
	case 2: return "the name server failed (SERVFAIL)";
	case 4: return "the name server does not know such questions";
	case 5: return "the name server refused the question (REFUSED)";
	default: return "the name server answered with an error";
	}
}

/* Whole: DNS_WIRE_BYTES bound all of them together. */
static void
put_records(const struct dns_wire_answer *a, struct buf *buf,
    struct msg_list *out)
{
	for (unsigned i = 0; i < a->count; i++) {
		struct msg_dns_record r = {
			.type = a->type,
			.preference = a->records[i].preference,
			.usage = a->records[i].usage,
			.selector = a->records[i].selector,
			.matching = a->records[i].matching,
			.ttl = a->records[i].ttl_s,
			.data = dns_wire_data(a, i),
		};

		msg_put_dns_record(buf, &r);
		out->n++;
	}
	out->bytes = buf_span(buf);
}

/* What a host has to show is known from all of its TLSA records, or not. */
static bool
is_part(const struct dns_wire_answer *a)
{
	return a->type == DNS_TYPE_TLSA && (a->is_cut || a->is_truncated);
}

/* OUT borrows from A and BUF, so both must live until it is sent. */
void
answer_wire(const struct dns_wire_answer *a, bool is_trusted,
    struct buf *buf, struct msg_dns_answer *out)
{
	*out = (struct msg_dns_answer){
		.status = (uint8_t)status_of(a->result),
	};
	/* the bit is as good as the way it came by */
	out->is_secure = a->is_secure && is_trusted;
	out->canonical = span_str(a->canonical);
	buf_reset(buf);
	if (out->status == DNS_OK)
		put_records(a, buf, &out->records);
	if (buf_failed(buf))
		answer_failure(DNS_TEMPORARY, "out of memory", out);
	else if (is_part(a))
		answer_failure(DNS_TEMPORARY, "the records are too many or "
		    "too long", out);
	else if (out->status == DNS_TEMPORARY)
		out->text = span_str(failure_text(a));
}

/* NAME and BUF must live until OUT is sent. */
void
answer_addresses(struct span name, const struct ipaddr *list, size_t n,
    struct buf *buf, struct msg_dns_answer *out)
{
	*out = (struct msg_dns_answer){
		.status = n > 0 ? DNS_OK : DNS_NO_DATA, .canonical = name,
	};
	buf_reset(buf);
	for (size_t i = 0; i < n; i++) {
		bool is_4 = list[i].family == IPADDR_4;
		struct msg_dns_record r = {
			.type = is_4 ? DNS_TYPE_A : DNS_TYPE_AAAA,
			.ttl = hosts_ttl_s,
			.data = span_of(list[i].bytes, is_4 ? 4 : 16),
		};

		msg_put_dns_record(buf, &r);
		out->records.n++;
	}
	out->records.bytes = buf_span(buf);
	if (buf_failed(buf))
		answer_failure(DNS_TEMPORARY, "out of memory", out);
}

void
answer_failure(enum dns_status status, const char *text,
    struct msg_dns_answer *out)
{
	*out = (struct msg_dns_answer){ .status = (uint8_t)status };
	out->text = span_str(text);
}
