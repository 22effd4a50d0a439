#include "deliverd/names.h"

/* A word that we don't know is temporary: no mail is returned for it. */
static enum hops_found
found_of(uint8_t status)
{
	static const enum hops_found found[DNS_STATUS_COUNT] = {
		[DNS_OK] = HOPS_DATA, [DNS_NO_DATA] = HOPS_NO_DATA,
		[DNS_NO_NAME] = HOPS_NO_NAME,
		[DNS_TEMPORARY] = HOPS_TEMPORARY,
		[DNS_REFUSED] = HOPS_NO_NAME,	/* nobody can have it */
	};

	return status < DNS_STATUS_COUNT ? found[status] : HOPS_TEMPORARY;
}

/* Records of another type than was asked for are no answer. */
static size_t
take_records(uint16_t type, struct msg_list list,
    struct hops_record *records)
{
	struct msg_dns_record r;
	size_t n = 0;

	while (n < ASK_RECORDS_MAX && msg_next_dns_record(&list, &r)) {
		if (r.type != type)
			continue;
		records[n].preference = r.preference;
		records[n].usage = r.usage;
		records[n].selector = r.selector;
		records[n].matching = r.matching;
		records[n].data = r.data;
		n++;
	}
	return n;
}

/* Data without a record of the type asked for is no data. */
void
names_read(uint16_t type, const struct msg_dns_answer *m,
    struct hops_record records[ASK_RECORDS_MAX], struct hops_answer *out)
{
	*out = (struct hops_answer){
		.found = found_of(m->status), .canonical = m->canonical,
		.is_secure = m->is_secure, .records = records,
		.text = m->text,
	};
	if (out->found != HOPS_DATA)
		return;
	out->n = take_records(type, m->records, records);
	if (out->n == 0)
		out->found = HOPS_NO_DATA;
}
