/*
 * What a round over hosts (hops.h) asks of the DNS, and what it is told.
 */
#ifndef MTAD_DELIVERD_HOPS_HOPS_ANSWER_H
#define MTAD_DELIVERD_HOPS_HOPS_ANSWER_H

#include "common/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hops_found { HOPS_DATA, HOPS_NO_DATA, HOPS_NO_NAME, HOPS_TEMPORARY };

struct hops_question {
	uint32_t id;		/* to be given back; unique in this round */
	uint16_t type;		/* enum dns_wire_type: A, AAAA, MX, … */
	const char *name;	/* borrowed until the answer */
};

struct hops_record {
	uint16_t preference;
	uint8_t usage, selector, matching;	/* of a TLSA */
	struct span data;	/* address octets, or a name as text */
};

struct hops_answer {
	enum hops_found found;
	bool is_secure;		/* validated, as far as we trust who says so */
	struct span canonical;	/* behind the CNAMEs; may be empty */
	const struct hops_record *records;
	size_t n;
	struct span text;	/* for people, on failure */
};

#endif
