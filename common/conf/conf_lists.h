/*
 * Lists of configuration values: all have the layout of struct conf_list.
 * For conf_types.h, which has their elements.
 */
#ifndef MTAD_CONF_CONF_LISTS_H
#define MTAD_CONF_CONF_LISTS_H

#include "common/base/endpoint.h"

struct conf_dnslist;
struct conf_rate;
struct conf_target;

struct conf_texts {
	const char **v;
	size_t n;
};

struct conf_rates {
	struct conf_rate *v;
	size_t n;
};

struct conf_networks {
	struct ipaddr_prefix *v;
	size_t n;
};

struct conf_endpoints {
	struct endpoint *v;
	size_t n;
};

struct conf_dnslists {
	struct conf_dnslist *v;
	size_t n;
};

struct conf_targets {
	struct conf_target *v;
	size_t n;
};

#endif
