/*
 * The words of `route explain` that people and programs share.
 */
#ifndef MTAD_MTACTL_ROUTE_WORDS_H
#define MTAD_MTACTL_ROUTE_WORDS_H

#include "common/base/ipaddr.h"
#include "common/base/span.h"
#include "common/ipc/ctl_words.h"

/* In what a rule does not match: the key, and words. */
struct route_miss_words {
	const char *name;
	const char *text;
};

/* What is done with mail instead of sending it: a word, and words. */
struct route_deed_words {
	const char *name;
	const char *text;
};

/* Of a number that means nothing: the first of the list. */
const struct route_miss_words *route_miss_words(uint8_t miss);
const struct route_deed_words *route_deed_words(uint8_t deed);

/* What of a mail rules may ask, by its option's name: those in DECISIVE, a set
 * of bits by enum route_miss.  Writes at most ROUTE_MISS_COUNT names; gives
 * how many. */
size_t route_decisive_names(unsigned decisive,
    const char *names[ROUTE_MISS_COUNT]);

/* "" for none, which is this host itself. */
void route_client_format(struct span octets, char out[IPADDR_TEXT_SIZE]);

#endif
