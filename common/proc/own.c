/*
 * The endpoints are looked up with each configuration, not with each mail: an
 * address that this host is given later counts after the next reload.  Until
 * then its own name in an MX record still shows who it is.
 */
#include "common/proc/own.h"

#include <sys/socket.h>

#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/os/sock.h"

struct gathering {
	struct endpoint *list;
	size_t n;
	const struct ifaddrs *interfaces;
};

/* Beyond OWN_MAX nothing is kept: such a host is known by its name only. */
static void
add(struct gathering *g, const struct ipaddr *ip, uint16_t port)
{
	if (g->n < OWN_MAX)
		g->list[g->n++] = (struct endpoint){ *ip, port };
}

static void
add_interfaces(struct gathering *g, uint16_t port)
{
	for (const struct ifaddrs *i = g->interfaces; i != NULL;
	    i = i->ifa_next) {
		struct endpoint at;
		socklen_t size;

		if (i->ifa_addr == NULL)
			continue;
		size = i->ifa_addr->sa_family == AF_INET ?
		    sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
		if (sock_endpoint(i->ifa_addr, size, &at) == OK)
			add(g, &at.addr, port);
	}
}

enum err
own_endpoints(const struct conf_listeners *listeners, struct endpoint **out,
    size_t *n)
{
	struct gathering g = { 0 };
	struct ifaddrs *interfaces = NULL;

	g.list = calloc(OWN_MAX, sizeof(g.list[0]));
	if (g.list == NULL)
		return ERR_NOMEM;
	/* without the list the name in MX is still recognised */
	if (getifaddrs(&interfaces) != 0)
		interfaces = NULL;
	g.interfaces = interfaces;
	for (size_t i = 0; i < listeners->n; i++) {
		const struct conf_address *a = &listeners->v[i].address;

		if (a->kind == CONF_ADDRESS_ANY)
			add_interfaces(&g, a->endpoint.port);
		else if (a->kind == CONF_ADDRESS_IP)
			add(&g, &a->endpoint.addr, a->endpoint.port);
	}
	if (interfaces != NULL)
		freeifaddrs(interfaces);
	*out = g.list;
	*n = g.n;
	return OK;
}

/* Connecting a datagram socket asks the routing table, and no more. */
bool
own_has_ipv6(void)
{
	static const uint8_t somewhere[16] = { 0x20, 0x01, 0x05, 0x03 };
	struct sockaddr_in6 sa = {
		.sin6_family = AF_INET6, .sin6_port = htons(53),
	};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool has;

	if (fd < 0)
		return false;
	memcpy(&sa.sin6_addr, somewhere, sizeof(somewhere));
	has = connect(fd, (const struct sockaddr *)(const void *)&sa,
	    sizeof(sa)) == 0;
	(void)close(fd);
	return has;
}
