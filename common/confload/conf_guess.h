/*
 * "Did you mean …?": the candidate nearest to a mistyped word.
 *
 * Nearness is the number of letters to add, leave out, change or swap with
 * their neighbour, case ignored; at most a third of the word.
 */
#ifndef MTAD_CONFLOAD_CONF_GUESS_H
#define MTAD_CONFLOAD_CONF_GUESS_H

#include "common/base/span.h"

#define CONF_GUESS_WORD_MAX 40	/* bytes; longer words have no neighbours */

struct conf_guess {
	struct span word;
	size_t distance;	/* of the best so far, or the limit */
	struct span best;	/* borrowed from the candidates; empty: none */
};

void conf_guess_init(struct conf_guess *guess, struct span word);
void conf_guess_try(struct conf_guess *guess, struct span candidate);

#endif
