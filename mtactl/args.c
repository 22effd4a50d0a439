/*
 * Options may stand anywhere, also behind the operands, as people type them;
 * `--` ends them.  getopt_long(3) would do the same, but it prints its own
 * words and can't guess what was meant; here each mistake becomes one
 * sentence.
 *
 * Operands are moved to the front of argv as they are found, so nothing is
 * allocated and their number has no limit of ours.
 */
#include "mtactl/args.h"

#include "common/base/check.h"
#include "common/base/units.h"
#include "common/confload/conf_guess.h"

struct reader {
	struct args *args;
	int argc;
	char **argv;
	int at;				/* the next one to look at */
	int kept;			/* words so far, at the front of argv */
	bool has_config;
	struct why *why;
};

/* Options without a value; those with one are take_value()'s. */
static void
set_flag(struct args *args, enum option_id id)
{
	switch (id) {
	case OPTION_JSON:
		args->is_json = true;
		break;
	case OPTION_NO_COLOR:
		args->has_no_colour = true;
		break;
	case OPTION_DRY_RUN:
		args->is_dry_run = true;
		break;
	case OPTION_YES:
		args->has_yes = true;
		break;
	case OPTION_SET_ASIDE:
		args->does_set_aside = true;
		break;
	case OPTION_RELEASE:
		args->does_release = true;
		break;
	case OPTION_MAIL:
		args->wants_mail = true;
		break;
	case OPTION_REQUIRE_TLS:
		args->route.requires_tls = true;
		break;
	case OPTION_RELEASED:
		args->route.is_released = true;
		break;
	case OPTION_ALL:
		args->route.is_all = true;
		break;
	case OPTION_HELP:
		args->wants_help = true;
		break;
	case OPTION_VERSION:
		args->wants_version = true;
		break;
	default:
		MUST(false);
	}
}

/* The first one is kept for the verbs that take two: see settle_config(). */
static void
take_config(struct reader *r, const char *value)
{
	if (r->has_config)
		r->args->other_config = value;
	else
		r->args->config = value;
	r->has_config = true;
}

static enum err
take_header(struct reader *r, const char *value)
{
	struct args_route *route = &r->args->route;

	if (route->header_count == ARGS_HEADERS_MAX)
		return why_set(r->why, ERR_SYNTAX,
		    "--header may stand %d times", ARGS_HEADERS_MAX);
	route->headers[route->header_count++] = value;
	return OK;
}

/* Of those about a mail; NULL: it is none of them. */
static const char **
place_of(struct args_route *route, enum option_id id)
{
	switch (id) {
	case OPTION_FROM:
		return &route->from;
	case OPTION_CLIENT:
		return &route->client;
	case OPTION_USER:
		return &route->user;
	case OPTION_SIZE:
		return &route->size;
	default:
		return NULL;
	}
}

static enum err
take_time(struct reader *r, const char *value)
{
	int64_t ms;

	if (units_parse_ms(span_str(value), &ms) != OK || ms <= 0)
		return why_set(r->why, ERR_SYNTAX,
		    "--for needs a time, such as 30m or 2h");
	r->args->for_ms = (uint64_t)ms;
	return OK;
}

static enum err
take_value(struct reader *r, enum option_id id, const char *value)
{
	const char **place = place_of(&r->args->route, id);

	if (id == OPTION_HEADER)
		return take_header(r, value);
	if (place != NULL)
		*place = value;
	else if (id == OPTION_CONFIG)
		take_config(r, value);
	else if (id == OPTION_SOCKET)
		r->args->socket = value;
	else if (id == OPTION_JOURNAL)
		r->args->journal = value;
	else if (id == OPTION_SCHEME)
		r->args->scheme = value;
	else if (id == OPTION_WHY)
		r->args->why = value;
	else if (id == OPTION_FOR)
		return take_time(r, value);
	else if (units_parse_u64(span_str(value), &r->args->limit) != OK ||
	    r->args->limit == 0)
		return why_set(r->why, ERR_SYNTAX,
		    "--limit needs a number above 0");
	return OK;
}

/* VALUE is what stood behind `=` or the letter; NULL: the next word is it. */
static enum err
take_option(struct reader *r, enum option_id id, const char *value)
{
	const struct verb_option *o = &verbs_options[id];

	if (o->operand == NULL) {
		if (value != NULL)
			return why_set(r->why, ERR_SYNTAX,
			    "%s takes no value", o->name);
		set_flag(r->args, id);
		return OK;
	}
	if (value == NULL && r->at < r->argc)
		value = r->argv[r->at++];
	if (value == NULL || (value[0] == '\0' && id != OPTION_FROM))
		return why_set(r->why, ERR_SYNTAX, "%s needs a %s", o->name,
		    o->operand);
	return take_value(r, id, value);
}

/* WORD with its `=value`: the guess is about its beginning. */
static enum err
refuse_option(struct reader *r, const char *word)
{
	struct conf_guess guess;

	conf_guess_init(&guess, span_str(word));
	for (size_t i = 0; i < OPTION_COUNT; i++)
		conf_guess_try(&guess, span_str(verbs_options[i].name));
	if (guess.best.n > 0)
		return why_set(r->why, ERR_SYNTAX,
		    "unknown option '%.40s'; did you mean '%.*s'?", word,
		    (int)guess.best.n, (const char *)guess.best.p);
	return why_set(r->why, ERR_SYNTAX, "unknown option '%.40s'", word);
}

/* --name, --name=value */
static enum err
take_long(struct reader *r, const char *word)
{
	struct span name = span_str(word);
	size_t equals = span_find(name, '=');
	const char *value = equals < name.n ? word + equals + 1 : NULL;

	name = span_sub(name, 0, equals);
	for (unsigned i = 0; i < OPTION_COUNT; i++)
		if (span_equal(name, span_str(verbs_options[i].name)))
			return take_option(r, (enum option_id)i, value);
	return refuse_option(r, word);
}

/* -x, -xy, -cFILE */
static enum err
take_letters(struct reader *r, const char *word)
{
	enum err e = OK;

	for (const char *c = word + 1; e == OK && *c != '\0'; c++) {
		unsigned i = 0;

		while (i < OPTION_COUNT && verbs_options[i].letter != *c)
			i++;
		if (i == OPTION_COUNT)
			return refuse_option(r, word);
		if (verbs_options[i].operand != NULL && c[1] != '\0')
			return take_option(r, (enum option_id)i, c + 1);
		e = take_option(r, (enum option_id)i, NULL);
	}
	return e;
}

/* KEPT never passes AT: no word is overwritten before it was looked at.  A
 * lone `-` is a word. */
static enum err
take_words(struct reader *r)
{
	bool has_ended = false;
	enum err e = OK;

	while (e == OK && r->at < r->argc) {
		char *word = r->argv[r->at++];

		if (has_ended || word[0] != '-' || word[1] == '\0')
			r->argv[r->kept++] = word;
		else if (strcmp(word, "--") == 0)
			has_ended = true;
		else if (word[1] == '-')
			e = take_long(r, word);
		else
			e = take_letters(r, word);
	}
	return e;
}

static enum err
check_restore(const struct reader *r)
{
	const struct args *args = r->args;
	const char *name = args->does_set_aside ? "--set-aside" :
	    args->does_release ? "--release" :
	    args->journal != NULL ? "--journal" : NULL;

	if (name == NULL || (args->verb->options & VERB_RESTORE) != 0)
		return OK;
	return why_set(r->why, ERR_SYNTAX, "%s means nothing to `%s`", name,
	    args->verb->name);
}

/* Elsewhere the last one counts, so that an alias can name the usual one. */
static void
settle_config(struct args *args)
{
	if (args->other_config == NULL ||
	    (args->verb->options & VERB_TWO) != 0)
		return;
	args->config = args->other_config;
	args->other_config = NULL;
}

static enum err
check_route(const struct reader *r)
{
	const struct args_route *a = &r->args->route;
	const char *name = a->from != NULL ? "--from" :
	    a->client != NULL ? "--client" : a->user != NULL ? "--user" :
	    a->size != NULL ? "--size" : a->header_count > 0 ? "--header" :
	    a->requires_tls ? "--requiretls" : a->is_released ?
	    "--released" : a->is_all ? "--all" : NULL;

	if (name == NULL || (r->args->verb->options & VERB_ROUTE) != 0)
		return OK;
	return why_set(r->why, ERR_SYNTAX, "%s means nothing to `%s`", name,
	    r->args->verb->name);
}

/* An option that the verb doesn't know is an error: `queue list --dry-run`
 * would else look as if it could have changed something. */
static enum err
check_verb(const struct reader *r)
{
	const struct args *args = r->args;
	const struct verb *v = args->verb;

	if (args->is_dry_run && !(v->options & VERB_DRY_RUN))
		return why_set(r->why, ERR_SYNTAX,
		    "--dry-run means nothing to `%s`", v->name);
	if (args->has_yes && !(v->options & VERB_YES))
		return why_set(r->why, ERR_SYNTAX,
		    "--yes means nothing to `%s`", v->name);
	if (args->limit != 0 && !(v->options & VERB_LIMIT))
		return why_set(r->why, ERR_SYNTAX,
		    "--limit means nothing to `%s`", v->name);
	if (check_restore(r) != OK || check_route(r) != OK)
		return ERR_SYNTAX;
	if (args->scheme != NULL && !(v->options & VERB_SCHEME))
		return why_set(r->why, ERR_SYNTAX,
		    "--scheme means nothing to `%s`", v->name);
	if ((args->for_ms > 0 || args->why != NULL) &&
	    !(v->options & VERB_FOR))
		return why_set(r->why, ERR_SYNTAX, "%s means nothing to `%s`",
		    args->for_ms > 0 ? "--for" : "--why", v->name);
	if (args->wants_mail && !(v->options & VERB_SALVAGE))
		return why_set(r->why, ERR_SYNTAX,
		    "--mail means nothing to `%s`", v->name);
	if (args->operand_count < v->least)
		return why_set(r->why, ERR_SYNTAX, "`%s` needs %s", v->name,
		    v->operands);
	if (args->operand_count > v->most)
		return why_set(r->why, ERR_SYNTAX,
		    "`%s` does not take '%.40s'", v->name,
		    args->operands[v->most]);
	return OK;
}

/* OUT is untouched on failure, but the words of argv may have changed
 * places. */
enum err
args_parse(int argc, char **argv, struct args *out, struct why *why)
{
	struct args args = { .config = ARGS_CONFIG };
	struct reader r = { .args = &args, .argc = argc, .argv = argv,
		.at = 1, .kept = 1, .why = why };
	enum err e = take_words(&r);
	int used = 0;

	if (e != OK)
		return e;
	/* `mtactl --help` needs no verb */
	if (r.kept > 1 || !(args.wants_help || args.wants_version)) {
		e = verbs_find(argv + 1, r.kept - 1, &args.verb, &used, why);
		if (e != OK)
			return e;
	}
	args.operands = argv + 1 + used;
	args.operand_count = r.kept - 1 - used;
	if (args.verb != NULL)
		settle_config(&args);
	/* help about a verb doesn't ask for its operands */
	if (args.verb != NULL && !args.wants_help && !args.wants_version)
		e = check_verb(&r);
	if (e == OK)
		*out = args;
	return e;
}

/* A selection may be given as one quoted word or as many. */
void
args_join(const struct args *args, int first, struct buf *out)
{
	for (int i = first; i < args->operand_count; i++) {
		if (i > first)
			buf_add_byte(out, ' ');
		buf_add_str(out, args->operands[i]);
	}
}
