#include "queued/tlsrpt/tlsrpt_report.h"

#include <stdio.h>

#include "common/base/json.h"
#include "common/base/mtime.h"
#include "queued/tlsrpt/tlsrpt_impl.h"

static const char *const kinds[TLSRPT_KINDS] = {
	[TLSRPT_NO_POLICY] = "no-policy-found",
	[TLSRPT_TLSA] = "tlsa",
	[TLSRPT_STS] = "sts",
};

static const char *const results[TLSRPT_RESULTS] = {
	[TLSRPT_NO_STARTTLS] = "starttls-not-supported",
	[TLSRPT_WRONG_NAME] = "certificate-host-mismatch",
	[TLSRPT_EXPIRED] = "certificate-expired",
	[TLSRPT_NOT_TRUSTED] = "certificate-not-trusted",
	[TLSRPT_INVALID] = "validation-failure",
	[TLSRPT_TLSA_INVALID] = "tlsa-invalid",
	[TLSRPT_DNSSEC_INVALID] = "dnssec-invalid",
	[TLSRPT_DANE_REQUIRED] = "dane-required",
	[TLSRPT_STS_FETCH] = "sts-policy-fetch-error",
	[TLSRPT_STS_INVALID] = "sts-policy-invalid",
	[TLSRPT_STS_WEBPKI] = "sts-webpki-invalid",
};

/* "2026-11-22T10:00:00Z": seconds are enough. */
static void
put_time(struct json *j, const char *key, int64_t at)
{
	char text[MTIME_UTC_SIZE];

	mtime_format_utc(at, text);
	text[19] = 'Z';
	text[20] = '\0';
	json_key(j, key);
	json_str(j, text);
}

static void
put_text(struct json *j, const char *key, struct span text)
{
	if (text.n == 0)
		return;
	json_key(j, key);
	json_string(j, text);
}

/* None without lines: an empty list would say that there are none. */
static void
put_lines(struct json *j, const char *key, struct span lines)
{
	if (lines.n == 0)
		return;
	json_key(j, key);
	json_array(j);
	while (lines.n > 0) {
		size_t n = span_find(lines, '\n');

		if (n > 0)
			json_string(j, span_sub(lines, 0, n));
		lines = span_from(lines, n + 1);
	}
	json_array_end(j);
}

static void
put_detail(struct json *j, const struct tlsrpt_detail *d)
{
	json_object(j);
	json_key(j, "result-type");
	json_str(j, results[d->result]);
	put_text(j, "sending-mta-ip", tlsrpt_detail_text(d, TLSRPT_FROM));
	put_text(j, "receiving-mx-hostname",
	    tlsrpt_detail_text(d, TLSRPT_HOST));
	put_text(j, "receiving-ip", tlsrpt_detail_text(d, TLSRPT_TO));
	json_key(j, "failed-session-count");
	json_u64(j, d->count);
	put_text(j, "failure-reason-code", tlsrpt_detail_text(d, TLSRPT_WHY));
	json_object_end(j);
}

static void
put_details(struct json *j, const struct tlsrpt_policy *p)
{
	struct list *node;

	if (list_is_empty(&p->details))
		return;
	json_key(j, "failure-details");
	json_array(j);
	for (node = list_first(&p->details); node != NULL;
	    node = list_next(&p->details, node))
		put_detail(j, CONTAINER_OF(node, struct tlsrpt_detail,
		    node));
	json_array_end(j);
}

static void
put_policy(struct json *j, const struct tlsrpt_policy *p, struct span domain)
{
	json_object(j);
	json_key(j, "policy");
	json_object(j);
	json_key(j, "policy-type");
	json_str(j, kinds[p->kind]);
	put_lines(j, "policy-string", span_of(p->bytes, p->n_policy));
	put_text(j, "policy-domain", domain);
	put_lines(j, "mx-host", span_of(p->bytes + p->n_policy,
	    p->n_patterns));
	json_object_end(j);
	json_key(j, "summary");
	json_object(j);
	json_key(j, "total-successful-session-count");
	json_u64(j, p->successes);
	json_key(j, "total-failure-session-count");
	json_u64(j, p->failures);
	json_object_end(j);
	put_details(j, p);
	json_object_end(j);
}

void
tlsrpt_report_id(const struct tlsrpt_day *day, struct span host,
    char out[TLSRPT_ID_SIZE])
{
	struct span domain = tlsrpt_day_domain(day);
	char text[MTIME_UTC_SIZE];

	mtime_format_utc(tlsrpt_day_begin(day), text);
	(void)snprintf(out, TLSRPT_ID_SIZE, "%.10s.%.*s@%.*s", text,
	    (int)span_sub(domain, 0, 200).n, (const char *)domain.p,
	    (int)span_sub(host, 0, 100).n, (const char *)host.p);
}

enum err
tlsrpt_report_json(const struct tlsrpt_day *day,
    const struct tlsrpt_sender *sender, struct buf *out)
{
	struct span domain = tlsrpt_day_domain(day);
	int64_t begin = tlsrpt_day_begin(day);
	char id[TLSRPT_ID_SIZE];
	struct list *node;
	struct json j;

	json_init(&j, out);
	json_object(&j);
	put_text(&j, "organization-name", sender->host);
	json_key(&j, "date-range");
	json_object(&j);
	put_time(&j, "start-datetime", begin);
	put_time(&j, "end-datetime", begin + TLSRPT_DAY_MS - 1000);
	json_object_end(&j);
	put_text(&j, "contact-info", sender->contact);
	tlsrpt_report_id(day, sender->host, id);
	json_key(&j, "report-id");
	json_str(&j, id);
	json_key(&j, "policies");
	json_array(&j);
	for (node = list_first(&day->policies); node != NULL;
	    node = list_next(&day->policies, node))
		put_policy(&j, CONTAINER_OF(node, struct tlsrpt_policy,
		    node), domain);
	json_array_end(&j);
	json_object_end(&j);
	return json_done(&j);
}
