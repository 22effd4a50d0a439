/*
 * The listening sockets of the parent: one a socket address, kept over
 * reloads as long as the configuration wants them.
 */
#ifndef MTAD_MTAD_PORTS_H
#define MTAD_MTAD_PORTS_H

#include "common/base/buf.h"
#include "common/base/endpoint.h"
#include "common/conf/conf.h"

#define PORTS_MAX	128		/* 64 listeners, two for `*` */

struct port {
	struct endpoint endpoint;
	uint16_t index;			/* row of conf.listeners */
	int fd;
};

struct ports {
	struct port v[PORTS_MAX];
	size_t n;
};

struct ports_result {
	struct buf errors;		/* lines for people */
	struct buf warnings;
	bool is_in_use;			/* an address belongs to another */
};

void ports_result_init(struct ports_result *r);
void ports_result_clear(struct ports_result *r);

/*
 * Makes in OUT what CONF wants, with the sockets of OLD where they serve (they
 * stay OLD's as well).  ERR_IO when something could not be bound: R->errors
 * says what and what to do, and every socket made here is closed again.
 */
enum err ports_open(const struct conf *conf, const struct ports *old,
    struct ports *out, struct ports_result *r);

/* Closes those sockets of P that KEPT (may be NULL) has not. */
void ports_close(struct ports *p, const struct ports *kept);

/* The port of this endpoint, or NULL. */
const struct port *ports_find(const struct ports *p, const struct endpoint *e);

#endif
