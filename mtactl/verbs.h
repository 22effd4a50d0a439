/*
 * The verbs of mtactl and its options as tables, expanded from verbs.def.
 */
#ifndef MTAD_MTACTL_VERBS_H
#define MTAD_MTACTL_VERBS_H

#include "common/base/buf.h"

struct mtactl;

enum {
	VERB_MANY = 1 << 20,		/* operands: no limit of ours */
	VERB_DRY_RUN = 1 << 0,
	VERB_YES = 1 << 1,
	VERB_LIMIT = 1 << 2,
	VERB_RESTORE = 1 << 3,		/* its three options */
	VERB_SALVAGE = 1 << 4,		/* --mail */
	VERB_SCHEME = 1 << 5,
	VERB_FOR = 1 << 6,		/* --for, --why */
	VERB_ROUTE = 1 << 7,		/* the facts about a mail, --all */
	VERB_TWO = 1 << 8,		/* --config may stand twice */
};

struct verb {
	const char *name;		/* one word or two */
	int (*run)(struct mtactl *m);	/* gives the exit code */
	const char *operands;
	int least;
	int most;
	unsigned options;		/* VERB_DRY_RUN | … */
	const char *doc;
};

enum option_id {
#define OPTION(id, name, letter, operand, doc) OPTION_##id,
#define VERB(name, run, operands, least, most, options, doc)
#include "mtactl/verbs.def"
#undef OPTION
#undef VERB
	OPTION_COUNT
};

struct verb_option {
	const char *name;
	char letter;			/* 0: none */
	const char *operand;		/* NULL: none */
	const char *doc;
};

extern const struct verb_option verbs_options[OPTION_COUNT];

/* The verb at the front of N words, and how many of them it takes.
 * ERR_SYNTAX, with what was probably meant in WHY. */
enum err verbs_find(char *const *words, int n, const struct verb **out,
    int *used, struct why *why);

/* Appends the overview, or all about V. */
void verbs_help(struct buf *out);
void verbs_help_one(const struct verb *v, struct buf *out);

#endif
