/*
 * A line is cut at its first blank: verb before it, argument behind it.
 * Nothing is refused here.  What is wrong with a line, an unknown verb or a
 * control character, is said in the result, because the reply depends on where
 * the dialogue stands, which only the engine knows.
 */
#include "common/smtp/smtp_command.h"

#include "common/base/check.h"
#include "common/base/text.h"

/* One row a word, expanded from the list; all words of foreign protocols share
 * one verb, so that a single answer serves them. */
static const struct {
	enum smtp_verb verb;
	struct span text;
} words[] = {
#define VERB(name, t)	{ SMTP_VERB_##name, SPAN_LIT(t) },
#define FOREIGN(t)	{ SMTP_VERB_FOREIGN, SPAN_LIT(t) },
#include "common/smtp/smtp_command.def"
#undef FOREIGN
#undef VERB
};

/* The common verbs stand first in the list. */
static enum smtp_verb
find_verb(struct span word)
{
	/* two dozen short words: most are told apart by their length */
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (span_equal_nocase(words[i].text, word))
			return words[i].verb;
	}
	return SMTP_VERB_UNKNOWN;
}

/* The first line of a request: its last word is HTTP/1.1, RTSP/1.0, SIP/2.0 ...,
 * whatever the method before it is called. */
static bool
is_request(struct span argument)
{
	size_t at = argument.n, slash;

	while (at > 0 && argument.p[at - 1] != ' ')
		at--;
	argument = span_from(argument, at);
	slash = span_find(argument, '/');
	for (size_t i = 0; i < slash; i++) {
		if (!text_is_alpha(argument.p[i]))
			return false;
	}
	return at > 0 && slash > 0 && slash + 1 < argument.n &&
	    text_is_digit(argument.p[slash + 1]);
}

/* For the caller to refuse: no argument may hold one (RFC 5321 4.1.2). */
static bool
has_control(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	}
	return false;
}

void
smtp_command_parse(struct span line, struct smtp_command *out)
{
	struct span s = line;
	size_t n;

	/* blanks at the end are to be tolerated, RFC 5321 4.1.1 */
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	n = span_find(s, ' ');
	out->word = span_sub(s, 0, n);
	while (n < s.n && s.p[n] == ' ')
		n++;
	out->argument = span_from(s, n);
	/* a NUL or tab makes another word of a verb, so it is unknown */
	out->verb = find_verb(out->word);
	if (out->verb == SMTP_VERB_UNKNOWN && is_request(out->argument))
		out->verb = SMTP_VERB_FOREIGN;
	out->has_control = has_control(s);
}

const char *
smtp_command_name(enum smtp_verb verb)
{
	static const char *const names[SMTP_VERB_COUNT] = {
		[SMTP_VERB_UNKNOWN] = "unknown",
		[SMTP_VERB_FOREIGN] = "unknown",
#define VERB(name, t) [SMTP_VERB_##name] = t,
#define FOREIGN(t)
#include "common/smtp/smtp_command.def"
#undef FOREIGN
#undef VERB
	};

	return (size_t)verb < COUNT_OF(names) ? names[verb] : "unknown";
}
