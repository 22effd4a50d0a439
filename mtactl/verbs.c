/*
 * The table of verbs, and what is said to somebody who mistypes one.  A verb
 * is one word or two; the first of two is a group (`queue`, `message`), which
 * is no verb by itself.
 */
#include "mtactl/verbs.h"

#include "common/base/check.h"
#include "common/confload/conf_guess.h"
#include "mtactl/mtactl.h"

#include <stdio.h>

static const struct verb verbs[] = {
#define OPTION(id, name, letter, operand, doc)
#define VERB(name, run, operands, least, most, options, doc) \
	{ name, run, operands, least, most, options, doc },
#include "mtactl/verbs.def"
#undef OPTION
#undef VERB
};

const struct verb_option verbs_options[OPTION_COUNT] = {
#define OPTION(id, name, letter, operand, doc) { name, letter, operand, doc },
#define VERB(name, run, operands, least, most, options, doc)
#include "mtactl/verbs.def"
#undef OPTION
#undef VERB
};

static const char selection_help[] =
    "\n"
    "SELECTION is `all`, or words that a message must all match:\n"
    "  id:ID                     from:ADDRESS  from:<>  from:@DOMAIN\n"
    "  state:active              to:ADDRESS  to:@DOMAIN\n"
    "  state:deferred            domain:NAME (of a recipient)\n"
    "  state:held                age>2h  size>=1M  tries<3\n"
    "Addresses and names may hold * and ?.  Words may be combined by `or`,\n"
    "`not` and ( ).  Quote it for the shell: mtactl queue list 'age>1d'\n";

/* ---- finding one ---- */

/* How many of the N words are the name of V; 0: it is another one. */
static int
words_of(const struct verb *v, char *const *words, int n)
{
	struct span name = span_str(v->name);
	size_t blank = span_find(name, ' ');

	if (n < 1 || !span_equal(span_sub(name, 0, blank),
	    span_str(words[0])))
		return 0;
	if (blank == name.n)
		return 1;
	return n > 1 && span_equal(span_from(name, blank + 1),
	    span_str(words[1])) ? 2 : 0;
}

/* Some verb of two words begins with it. */
static bool
is_group(struct span word)
{
	for (size_t i = 0; i < COUNT_OF(verbs); i++) {
		struct span name = span_str(verbs[i].name);
		size_t blank = span_find(name, ' ');

		if (blank < name.n && span_equal(word,
		    span_sub(name, 0, blank)))
			return true;
	}
	return false;
}

/* "there are queue list, queue count, …" */
static enum err
refuse_group(const char *group, struct why *why)
{
	struct span start = span_str(group);
	char list[sizeof(why->text)] = "";
	size_t n = 0;

	for (size_t i = 0; i < COUNT_OF(verbs); i++) {
		const char *name = verbs[i].name;

		if (!span_starts_nocase(span_str(name), start) ||
		    name[start.n] != ' ' ||
		/* what doesn't fit is left out: `mtactl help` has all */
		    n + strlen(name) + 3 > sizeof(list))
			continue;
		if (n > 0) {
			memcpy(list + n, ", ", 2);
			n += 2;
		}
		memcpy(list + n, name, strlen(name) + 1);
		n += strlen(name);
	}
	return why_set(why, ERR_SYNTAX, "which one? there are %s", list);
}

/* The part of a verb's name that is nearest to WORD: of those that begin with
 * GROUP the word behind it; of all, without a group.  Empty: none is near. */
static struct span
guess_verb(struct span word, struct span group)
{
	struct conf_guess guess;

	conf_guess_init(&guess, word);
	for (size_t i = 0; i < COUNT_OF(verbs); i++) {
		struct span name = span_str(verbs[i].name);

		if (group.n == 0)
			conf_guess_try(&guess, name);
		else if (span_equal(span_sub(name, 0, group.n), group) &&
		    name.n > group.n && name.p[group.n] == ' ')
			conf_guess_try(&guess, span_from(name, group.n + 1));
	}
	return guess.best;
}

/* The group was right: only its own verbs are suggested. */
static enum err
refuse_of_group(const char *group, const char *word, struct why *why)
{
	struct span best = guess_verb(span_str(word), span_str(group));

	if (best.n == 0)
		return why_set(why, ERR_SYNTAX, "unknown verb '%s %.40s'",
		    group, word);
	return why_set(why, ERR_SYNTAX,
	    "unknown verb '%s %.40s'; did you mean '%s %.*s'?", group, word,
	    group, (int)best.n, (const char *)best.p);
}

/* "history" alone: the verbs whose second word that is, two at most; gives how
 * many there are. */
static size_t
find_by_second(struct span word, struct span found[2])
{
	size_t n = 0;

	for (size_t i = 0; i < COUNT_OF(verbs); i++) {
		struct span name = span_str(verbs[i].name);
		size_t blank = span_find(name, ' ');

		if (blank == name.n ||
		    !span_equal(span_from(name, blank + 1), word))
			continue;
		if (n < 2)
			found[n] = name;
		n++;
	}
	return n;
}

/* Perhaps both words are one verb, mistyped in the first; or the first of the
 * verb is missing. */
static enum err
refuse(char *const *words, int n, struct why *why)
{
	char both[CONF_GUESS_WORD_MAX + 1];
	struct span best = SPAN_NONE, found[2];
	size_t count = 0;

	if (n > 1 && snprintf(both, sizeof(both), "%s %s", words[0],
	    words[1]) < (int)sizeof(both))
		best = guess_verb(span_str(both), SPAN_NONE);
	if (best.n == 0)
		count = find_by_second(span_str(words[0]), found);
	if (count == 2)
		return why_set(why, ERR_SYNTAX, "unknown verb '%.40s'; did "
		    "you mean '%.*s' or '%.*s'?", words[0], (int)found[0].n,
		    (const char *)found[0].p, (int)found[1].n,
		    (const char *)found[1].p);
	if (count == 1)
		best = found[0];
	if (best.n == 0)
		best = guess_verb(span_str(words[0]), SPAN_NONE);
	if (best.n == 0)
		return why_set(why, ERR_SYNTAX, "unknown verb '%.40s'",
		    words[0]);
	return why_set(why, ERR_SYNTAX,
	    "unknown verb '%.40s'; did you mean '%.*s'?", words[0],
	    (int)best.n, (const char *)best.p);
}

/* OUT and USED are untouched on failure. */
enum err
verbs_find(char *const *words, int n, const struct verb **out, int *used,
    struct why *why)
{
	if (n < 1)
		return why_set(why, ERR_SYNTAX, "a verb is missing");
	for (size_t i = 0; i < COUNT_OF(verbs); i++) {
		int taken = words_of(&verbs[i], words, n);

		if (taken > 0) {
			*out = &verbs[i];
			*used = taken;
			return OK;
		}
	}
	if (!is_group(span_str(words[0])))
		return refuse(words, n, why);
	return n > 1 ? refuse_of_group(words[0], words[1], why) :
	    refuse_group(words[0], why);
}

/* ---- help ---- */

/* Options of the whole program are known to every verb. */
static bool
knows(const struct verb *v, enum option_id id)
{
	if (id == OPTION_DRY_RUN)
		return (v->options & VERB_DRY_RUN) != 0;
	if (id == OPTION_YES)
		return (v->options & VERB_YES) != 0;
	if (id == OPTION_LIMIT)
		return (v->options & VERB_LIMIT) != 0;
	if (id == OPTION_SET_ASIDE || id == OPTION_RELEASE ||
	    id == OPTION_JOURNAL)
		return (v->options & VERB_RESTORE) != 0;
	if (id == OPTION_SCHEME)
		return (v->options & VERB_SCHEME) != 0;
	if (id == OPTION_MAIL)
		return (v->options & VERB_SALVAGE) != 0;
	if (id == OPTION_FOR || id == OPTION_WHY)
		return (v->options & VERB_FOR) != 0;
	if (id >= OPTION_FROM && id <= OPTION_ALL)
		return (v->options & VERB_ROUTE) != 0;
	return true;
}

/* Two columns; options without a letter are set in under the others. */
static void
put_option(const struct verb_option *o, struct buf *out)
{
	char name[40];

	snprintf(name, sizeof(name), "%s%s%s", o->name,
	    o->operand != NULL ? " " : "",
	    o->operand != NULL ? o->operand : "");
	if (o->letter != 0)
		buf_addf(out, "  -%c, %-16s %s\n", o->letter, name, o->doc);
	else
		buf_addf(out, "      %-16s %s\n", name, o->doc);
}

/* The columns are as wide as the longest verb; long texts are the manual's. */
void
verbs_help(struct buf *out)
{
	buf_add_str(out, "usage: mtactl [OPTION …] VERB …\n\n");
	for (size_t i = 0; i < COUNT_OF(verbs); i++) {
		char words[60];

		snprintf(words, sizeof(words), "%s %s", verbs[i].name,
		    verbs[i].operands);
		buf_addf(out, "  %-26s %s\n", words, verbs[i].doc);
	}
	buf_add_byte(out, '\n');
	for (size_t i = 0; i < OPTION_COUNT; i++)
		put_option(&verbs_options[i], out);
	buf_add_str(out, selection_help);
}

void
verbs_help_one(const struct verb *v, struct buf *out)
{
	buf_addf(out, "usage: mtactl %s%s%s\n\n%s\n\n", v->name,
	    v->operands[0] != '\0' ? " " : "", v->operands, v->doc);
	for (unsigned i = 0; i < OPTION_COUNT; i++)
		if (knows(v, (enum option_id)i))
			put_option(&verbs_options[i], out);
	if (strstr(v->operands, "SELECTION") != NULL)
		buf_add_str(out, selection_help);
}
