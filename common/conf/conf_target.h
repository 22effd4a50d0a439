/*
 * The texts of places: listeners' addresses and next hops.
 *
 *	*:25  192.0.2.1:25  [2001:db8::1]:25  /run/mtad/submit.sock
 *	mx  smtp://[user@]host[:port]  smtps://…  lmtp://…  lmtp:///path
 *	discard  refuse  hold
 */
#ifndef MTAD_CONF_CONF_TARGET_H
#define MTAD_CONF_CONF_TARGET_H

#include "common/conf/conf_value.h"

/* Both take copies from SCOPE; errors as conf_value_parse(). */
enum err conf_target_parse_address(struct span text,
    const struct conf_scope *scope, struct conf_address *out,
    struct why *why);
enum err conf_target_parse(struct span text, const struct conf_scope *scope,
    struct conf_target *out, struct why *why);

void conf_target_print_address(const struct conf_address *address,
    struct buf *out);
void conf_target_print(const struct conf_target *target, struct buf *out);

/* A socket's path fits into struct sockaddr_un. */
#define CONF_TARGET_PATH_MAX 107

/* An absolute path from TEXT: below scope->dir when it is relative. */
enum err conf_target_parse_path(struct span text, size_t max,
    const struct conf_scope *scope, const char **out, struct why *why);

#endif
