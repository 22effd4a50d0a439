/*
 * mtactl's command line: options anywhere, then a verb and its operands.
 */
#ifndef MTAD_MTACTL_ARGS_H
#define MTAD_MTACTL_ARGS_H

#include "mtactl/verbs.h"

#define ARGS_CONFIG "/etc/mtad/mtad.yaml"
#define ARGS_HEADERS_MAX 32

/* About the mail that `route explain` is asked about; NULL: not said. */
struct args_route {
	const char *from;
	const char *client;
	const char *user;
	const char *size;
	const char *headers[ARGS_HEADERS_MAX];
	size_t header_count;
	bool requires_tls;
	bool is_released;
	bool is_all;
};

struct args {
	const char *config;		/* ARGS_CONFIG unless named */
	const char *other_config;	/* of VERB_TWO, named after it; or NULL */
	struct args_route route;
	uint64_t limit;			/* 0: none */
	const char *socket;		/* NULL: the configuration knows */
	bool is_json;
	bool has_no_colour;
	bool is_dry_run;
	bool has_yes;
	bool does_set_aside;		/* of `spool restore', as these: */
	bool does_release;
	const char *journal;		/* NULL: that of the spool */
	const char *scheme;		/* of `auth hash'; NULL: the best */
	uint64_t for_ms;		/* of `dest suspend`; 0: no end */
	const char *why;		/* … its reason; NULL: none */
	bool wants_mail;		/* of `spool salvage' */
	bool wants_help;
	bool wants_version;
	const struct verb *verb;	/* NULL only with help or version */
	char **operands;		/* borrowed from argv */
	int operand_count;
};

/* Puts the operands of ARGV to its front.  ERR_SYNTAX with words in WHY. */
enum err args_parse(int argc, char **argv, struct args *out,
    struct why *why);

/* The operands from FIRST on with a blank between, appended. */
void args_join(const struct args *args, int first, struct buf *out);

#endif
