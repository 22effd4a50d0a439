/*
 * Listening sockets, by what the configuration wants.
 *
 * A reload must not close a port that stays, not even for a moment: so the new
 * set is made from the old one and what is missing, and the old one is closed
 * afterwards as far as the new one hasn't got its sockets.  Both sets may hold
 * the same descriptor in between.
 */
#include "mtad/ports.h"

#include "common/os/fd.h"
#include "common/os/sock.h"

#include <errno.h>
#include <stdio.h>

/* A burst of clients waits here while a worker is busy; net.core.somaxconn may
 * make it less. */
#define BACKLOG		1024
#define TEXT_MAX_BYTES	((size_t)64 * 1024)

void
ports_result_init(struct ports_result *r)
{
	buf_init(&r->errors, TEXT_MAX_BYTES);
	buf_init(&r->warnings, TEXT_MAX_BYTES);
	r->is_in_use = false;
}

void
ports_result_clear(struct ports_result *r)
{
	buf_clear(&r->errors);
	buf_clear(&r->warnings);
}

const struct port *
ports_find(const struct ports *p, const struct endpoint *e)
{
	for (size_t i = 0; i < p->n; i++) {
		if (endpoint_equal(&p->v[i].endpoint, e))
			return &p->v[i];
	}
	return NULL;
}

/* What the person can do; empty when there is nothing to say. */
static const char *
advice(int error)
{
	switch (error) {
	case EADDRINUSE:
		return "another program listens there: `ss -ltnp` shows which";
	case EACCES:
		return "ports below 1024 need root";
	case EADDRNOTAVAIL:
		return "this host does not have that address";
	case EMFILE:
	case ENFILE:
		return "too many open files: raise the limit";
	default:
		return "";
	}
}

/* One line for each address, so that all of them are told at once. */
static void
explain(struct buf *out, const struct endpoint *e, int error)
{
	char text[ENDPOINT_TEXT_SIZE];
	const char *more = advice(error);

	(void)endpoint_format(e, text);
	buf_addf(out, "cannot listen on %s: %s%s%s%s\n", text,
	    strerror(error), *more != '\0' ? " (" : "", more,
	    *more != '\0' ? ")" : "");
}

/* `*` means both families; a host without IPv6 is no mistake. */
static bool
is_absent_family(const struct endpoint *e, bool is_any)
{
	return is_any && e->addr.family == IPADDR_6 &&
	    (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL);
}

/* An address named twice is bound once: the first row has it.  ERRNO is that
 * of sock_listen(). */
static void
open_one(struct ports *out, const struct ports *old, const struct endpoint *e,
    uint16_t index, bool is_any, struct ports_result *r)
{
	const struct port *kept = ports_find(old, e);
	int fd = -1;

	if (ports_find(out, e) != NULL || out->n == PORTS_MAX)
		return;
	if (kept != NULL) {
		fd = kept->fd;
	} else if (sock_listen(e, BACKLOG, &fd) != OK) {
		if (is_absent_family(e, is_any)) {
			buf_addf(&r->warnings, "no IPv6 on this host: "
			    "*:%u is served on IPv4 only\n", e->port);
			return;
		}
		r->is_in_use |= errno == EADDRINUSE;
		explain(&r->errors, e, errno);
		return;
	}
	out->v[out->n++] = (struct port){ *e, index, fd };
}

/* `*` is two sockets, each of one family (IPV6_V6ONLY), so that no IPv4
 * address comes in disguised as an IPv6 one. */
static void
open_listener(struct ports *out, const struct ports *old,
    const struct conf_listener *l, uint16_t index, struct ports_result *r)
{
	struct endpoint e = l->address.endpoint;

	switch (l->address.kind) {
	case CONF_ADDRESS_IP:
		open_one(out, old, &e, index, false, r);
		break;
	case CONF_ADDRESS_ANY:
		e.addr = (struct ipaddr){ .family = IPADDR_4 };
		open_one(out, old, &e, index, true, r);
		e.addr = (struct ipaddr){ .family = IPADDR_6 };
		open_one(out, old, &e, index, true, r);
		break;
	case CONF_ADDRESS_UNIX:
		/* refused by the loader in this version */
	case CONF_ADDRESS_NONE:
		break;
	}
}

enum err
ports_open(const struct conf *conf, const struct ports *old,
    struct ports *out, struct ports_result *r)
{
	out->n = 0;
	for (size_t i = 0; i < conf->listeners.n; i++)
		open_listener(out, old, &conf->listeners.v[i], (uint16_t)i, r);
	if (r->errors.n == 0)
		return OK;
	/* all or nothing: a reload must not half happen */
	ports_close(out, old);
	return ERR_IO;
}

void
ports_close(struct ports *p, const struct ports *kept)
{
	for (size_t i = 0; i < p->n; i++) {
		if (kept == NULL ||
		    ports_find(kept, &p->v[i].endpoint) == NULL)
			fd_close(&p->v[i].fd);
	}
	p->n = 0;
}
