/*
 * What is to be learned of a temporary refusal [pure]: the rows of `shaping`, then
 * those that are built in; the first that matches.
 *
 * A reply is compared as "CODE STATUS TEXT" and as "CODE TEXT", case ignored, so
 * that a pattern need not know whether a host sends enhanced codes.  A row of
 * {reply: "*", action: none} keeps all behind it from being used.
 */
#ifndef MTAD_QUEUED_SHAPE_SHAPE_RULES_H
#define MTAD_QUEUED_SHAPE_SHAPE_RULES_H

#include "common/conf/conf.h"

struct shape_reply {
	uint16_t code;			/* 4xx */
	struct span status;		/* "4.7.0"; may be empty */
	struct span text;		/* perhaps with the status in front */
};

struct shape_lesson {
	enum conf_shape action;		/* NONE: nothing is to be done */
	int64_t time_ms;		/* 0: no end */
	struct conf_rate rate;		/* to slow; count 0: any */
	uint32_t window;		/* 0: any */
	const char *pattern;		/* that matched; borrowed */
	bool is_built_in;
};

/* For the destination KEY.  False: no rule matches. */
bool shape_rules_find(const struct conf_shapings *rules, struct span key,
    const struct shape_reply *reply, struct shape_lesson *out);

/* The built-in rule of row I, for people; false behind the last. */
bool shape_rules_built_in(size_t i, struct shape_lesson *out);

/* The provider that has one of the hosts in GROUP ("a.example,b.example"), or
 * NULL. */
const struct conf_provider *shape_provider(
    const struct conf_providers *providers, struct span group);

#endif
