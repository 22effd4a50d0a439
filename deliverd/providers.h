/*
 * What `providers` of the configuration say to deliveries: how many messages
 * the hosts of each take over one connection.
 */
#ifndef MTAD_DELIVERD_PROVIDERS_H
#define MTAD_DELIVERD_PROVIDERS_H

#include "common/conf/conf.h"

struct providers;

/* Copies what it needs of CONF.  ERR_NOMEM. */
enum err providers_new(const struct conf *conf, struct providers **out);
void providers_free(struct providers **p);

/* Over one connection to HOST; 0: it is nobody's, or its provider says nothing.
 * The first that has it counts. */
uint32_t providers_mails(const struct providers *p, struct span host);

#endif
