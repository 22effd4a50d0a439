#include "common/base/glob.h"

#include "common/base/text.h"

/*
 * Only the last `*` is ever gone back to: what an earlier one matched was the
 * shortest that let the part behind it match, and no longer one can do better.
 */
bool
glob_match(struct span pattern, struct span text)
{
	size_t p = 0, t = 0;
	size_t star = SIZE_MAX;		/* behind the last star seen */
	size_t star_text = 0;		/* where it has matched up to */

	while (t < text.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = ++p;
			star_text = t;
		} else if (p < pattern.n && (pattern.p[p] == '?' ||
		    text_lower_byte(pattern.p[p]) ==
		    text_lower_byte(text.p[t]))) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			/* the star takes one byte more, and what is behind it
			 * is tried anew */
			p = star;
			t = ++star_text;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

bool
glob_has_wildcard(struct span pattern)
{
	return span_find(pattern, '*') < pattern.n ||
	    span_find(pattern, '?') < pattern.n;
}
