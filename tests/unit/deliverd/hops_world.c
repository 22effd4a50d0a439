#include "tests/unit/deliverd/hops_world.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/dns/dns_wire.h"

const struct route_target world_by_mx = {
	.scheme = CONF_SCHEME_MX, .user = "", .host = "", .port = 25,
};

static const struct endpoint own[] = {
	{ { IPADDR_4, { 192, 0, 2, 25 } }, 25 },
};

struct hops_setup
world_setup(const struct route_target *targets, size_t n, const char *domain)
{
	return (struct hops_setup){
		.targets = targets, .n_targets = n,
		.domain = span_str(domain), .has_ipv4 = true,
		.has_ipv6 = true, .own_name = "self.example", .own = own,
		.n_own = COUNT_OF(own), .seed = 1,
	};
}

static const char *
type_name(uint16_t type)
{
	return type == DNS_TYPE_A ? "A" : type == DNS_TYPE_AAAA ? "AAAA" :
	    "MX";
}

static size_t
make_records(char *data, uint16_t type, struct hops_record *records)
{
	static uint8_t octets[128][16];
	size_t n = 0;

	for (char *w = strtok(data, ","); w != NULL; w = strtok(NULL, ",")) {
		struct hops_record *r = &records[n];
		struct ipaddr ip;

		if (type == DNS_TYPE_MX) {
			char *host = strchr(w, ' ') + 1;

			r->preference = (uint16_t)atoi(w);
			r->data = strcmp(host, ".") == 0 ? SPAN_NONE :
			    span_str(host);
		} else {
			cr_assert_eq(ipaddr_parse(span_str(w), &ip), OK, "%s",
			    w);
			memcpy(octets[n], ip.bytes, 16);
			r->data = span_of(octets[n],
			    type == DNS_TYPE_A ? 4 : 16);
		}
		n++;
	}
	return n;
}

void
world_answer(struct world *w, struct hops *h, const struct hops_question *q)
{
	struct hops_record records[128];
	struct hops_answer a = { .found = HOPS_NO_DATA, .records = records };
	char want[300], data[12000] = "";
	size_t n;

	w->asked++;
	n = (size_t)snprintf(want, sizeof(want), "%s %s ", q->name,
	    type_name(q->type));
	for (const char *const *row = w->names; *row != NULL; row++)
		if (strncmp(*row, want, n) == 0)
			(void)snprintf(data, sizeof(data), "%s", *row + n);
	if (strcmp(data, "NXDOMAIN") == 0)
		a.found = HOPS_NO_NAME;
	else if (strcmp(data, "SERVFAIL") == 0) {
		a.found = HOPS_TEMPORARY;
		a.text = SPAN_LIT("SERVFAIL");
	} else if (data[0] != '\0') {
		a.found = HOPS_DATA;
		a.n = make_records(data, q->type, records);
	}
	hops_answer(h, q->id, &a);
}
