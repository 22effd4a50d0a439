/*
 * Who guesses at passwords waits longer and longer for the answers.
 *
 * Failures are counted for each client (an IPv4 address or an IPv6 /64) and
 * for each user's name, whether or not it is a user's.  The first
 * GUESSES_FREE cost nothing, then the wait doubles from a second to
 * GUESSES_WAIT_MAX_MS; a good answer waits as well, or the fast answers would
 * be the good ones.  Answers to one client wait one behind the other, so that
 * many connections guess no faster than one.
 *
 * Strangers who guess at a name delay its owner by GUESSES_USER_MS at most, and
 * from where the owner was let in of late nothing but mistakes made there
 * count.
 *
 * Pure: the time is an argument.  Memory is fixed; when it is full, those with
 * the fewest failures are forgotten first.
 */
#ifndef MTAD_KEYD_GUESSES_H
#define MTAD_KEYD_GUESSES_H

#include "common/base/err.h"
#include "common/base/ipaddr.h"

#include <stdbool.h>

#define GUESSES_FREE		3u
#define GUESSES_WAIT_MAX_MS	30000
#define GUESSES_USER_MS		1000
#define GUESSES_FORGET_MS	((int64_t)60 * 60 * 1000)
#define GUESSES_KNOWN_MS	((int64_t)30 * 24 * 60 * 60 * 1000)

struct guesses;

/* One try, from the question to its end. */
struct guess {
	uint64_t client;		/* keyed hashes */
	uint64_t user;
	uint64_t pair;
	bool is_known;			/* this client was this user of late */
	int64_t answer_at_ms;
};

/* KEY should be random.  ERR_NOMEM. */
enum err guesses_new(const struct siphash_key *key, struct guesses **out);
void guesses_free(struct guesses **g);

/*
 * A question came; until guesses_good() says otherwise it counts as a failure,
 * so that those asked at the same time count, too.  ERR_FULL: it would wait
 * longer than GUESSES_WAIT_MAX_MS; it is not to be looked at, and counts
 * nothing.
 */
enum err guesses_begin(struct guesses *g, const struct ipaddr *client,
    struct span user, int64_t now_ms, struct guess *out);

/* It was right.  It takes back its own failure, not those before: who has one
 * password could guess at others for ever. */
void guesses_good(struct guesses *g, const struct guess *guess,
    int64_t now_ms);

/* It was not looked at. */
void guesses_undo(struct guesses *g, const struct guess *guess,
    int64_t now_ms);

#endif
