/*
 * What records and policies have in common: white space and names of fields,
 * for the files of this room only.
 */
#ifndef MTAD_STS_STS_TEXT_H
#define MTAD_STS_STS_TEXT_H

#include "common/base/span.h"
#include "common/base/text.h"

#define STS_NAME_MAX	32	/* characters of a field's name */

static inline bool
sts_is_alnum(uint8_t c)
{
	return text_is_alpha(c) || text_is_digit(c);
}

/* Without the spaces and tabs around it. */
static inline struct span
sts_trim(struct span s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_from(s, 1);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

static inline bool
sts_is_name(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!sts_is_alnum(s.p[i]) && (i == 0 || (s.p[i] != '_' &&
		    s.p[i] != '-' && s.p[i] != '.')))
			return false;
	return s.n > 0 && s.n <= STS_NAME_MAX;
}

#endif
