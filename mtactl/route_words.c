#include "mtactl/route_words.h"

static const struct route_miss_words misses[ROUTE_MISS_COUNT] = {
	[ROUTE_MISS_NONE] = { "none", "matches" },
	[ROUTE_MISS_TO] = { "to", "not the recipient" },
	[ROUTE_MISS_FROM] = { "from", "not the sender" },
	[ROUTE_MISS_RELEASED] = { "released", "an operator has released it" },
	[ROUTE_MISS_CLIENT] = { "client", "not the client" },
	[ROUTE_MISS_USER] = { "user", "not the user" },
	[ROUTE_MISS_SIZE] = { "size", "not the size" },
	[ROUTE_MISS_HEADER] = { "header", "no such header field" },
};

static const struct route_deed_words deeds[ROUTE_DEED_COUNT] = {
	[ROUTE_DEED_SEND] = { "send", "sent on" },
	[ROUTE_DEED_DISCARD] = { "discard", "discarded: nobody hears of it" },
	[ROUTE_DEED_REFUSE] = { "refuse", "taken, and returned to its sender "
	    "in a report" },
	[ROUTE_DEED_REFUSE_RCPT] = { "refuse-at-rcpt", "refused in the reply "
	    "to RCPT" },
	[ROUTE_DEED_HOLD] = { "hold", "held until an operator releases or "
	    "deletes it" },
};

const struct route_miss_words *
route_miss_words(uint8_t miss)
{
	return &misses[miss < ROUTE_MISS_COUNT ? miss : ROUTE_MISS_NONE];
}

const struct route_deed_words *
route_deed_words(uint8_t deed)
{
	return &deeds[deed < ROUTE_DEED_COUNT ? deed : ROUTE_DEED_SEND];
}

size_t
route_decisive_names(unsigned decisive, const char *names[ROUTE_MISS_COUNT])
{
	size_t n = 0;

	for (unsigned i = ROUTE_MISS_CLIENT; i < ROUTE_MISS_COUNT; i++)
		if (decisive & 1U << i)
			names[n++] = misses[i].name;
	return n;
}

void
route_client_format(struct span octets, char out[IPADDR_TEXT_SIZE])
{
	struct ipaddr ip;

	out[0] = '\0';
	if (octets.n != 4 && octets.n != 16)
		return;
	ip = octets.n == 4 ? ipaddr_v4(octets.p) : ipaddr_v6(octets.p);
	ipaddr_format(&ip, out);
}
