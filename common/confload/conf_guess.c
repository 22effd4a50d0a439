/*
 * "Did you mean": the nearest of the known words by edits (a letter more, less,
 * other, or two swapped), if it is near enough.  A third of the word and one
 * letter more may be wrong; beyond that a guess misleads.
 */
#include "common/confload/conf_guess.h"

#include "common/base/text.h"

void
conf_guess_init(struct conf_guess *guess, struct span word)
{
	/* a best one has to stay below the limit */
	size_t limit = word.n < 3 ? 1 : word.n / 3 + 1;

	*guess = (struct conf_guess){ word, limit + 1, SPAN_NONE };
}

static size_t
least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Case is no mistake here.  I and J count from 1, as the matrix does. */
static bool
is_same(struct span a, size_t i, struct span b, size_t j)
{
	return text_lower_byte(a.p[i - 1]) == text_lower_byte(b.p[j - 1]);
}

/* Optimal string alignment; three rows of the matrix are enough. */
static size_t
distance(struct span a, struct span b)
{
	size_t rows[3][CONF_GUESS_WORD_MAX + 1];

	/* from nothing to the first J letters: J additions */
	for (size_t j = 0; j <= b.n; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t *row = rows[i % 3], *above = rows[(i + 2) % 3];
		const size_t *over = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			size_t cost = is_same(a, i, b, j) ? 0 : 1;

			row[j] = least(above[j] + 1, row[j - 1] + 1,
			    above[j - 1] + cost);
			/* two neighbours swapped are one mistake, not two */
			if (i > 1 && j > 1 && is_same(a, i, b, j - 1) &&
			    is_same(a, i - 1, b, j) &&
			    over[j - 2] + 1 < row[j])
				row[j] = over[j - 2] + 1;
		}
	}
	return rows[a.n % 3][b.n];
}

/* Of two candidates as near the first one stays. */
void
conf_guess_try(struct conf_guess *guess, struct span candidate)
{
	size_t d;

	if (guess->word.n == 0 || guess->word.n > CONF_GUESS_WORD_MAX ||
	    candidate.n > CONF_GUESS_WORD_MAX)
		return;
	d = distance(guess->word, candidate);
	if (d < guess->distance) {
		guess->distance = d;
		guess->best = candidate;
	}
}
