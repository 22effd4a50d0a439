/*
 * The two questions that smtpd asks for each client and each recipient, who
 * may relay and for whom, answered by binary search: lists may have thousands
 * of entries and the answer is on the way of each command.  Built once for
 * each configuration (I-08).
 */
#include "common/conf/conf_match.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/text.h"
#include "common/conf/conf_name.h"
#include "common/idn/idn.h"

#define MATCH_MEMORY_MAX ((size_t)64 * 1024 * 1024)	/* bytes */

/* The networks as disjoint ranges in ascending order; the domains in lower
 * case and ascending order, those of `.d` with their dot. */
struct range {
	struct ipaddr first, last;
};

struct ranges {
	struct range *v;
	size_t n;
};

struct conf_match {
	struct arena *arena;
	struct ranges clients;
	struct ranges callers;
	struct span *domains;
	size_t n_domains;
};

/* By their beginnings: where they end is looked at when they are merged. */
static int
compare_ranges(const void *a, const void *b)
{
	return ipaddr_compare(&((const struct range *)a)->first,
	    &((const struct range *)b)->first);
}

static int
compare_domains(const void *a, const void *b)
{
	return span_compare(*(const struct span *)a, *(const struct span *)b);
}

/* From the prefix itself, whose other bits are 0, to all of them set. */
static struct range
range_of(const struct ipaddr_prefix *prefix)
{
	size_t size = prefix->addr.family == IPADDR_4 ? 32 : 128;
	struct range range = { prefix->addr, prefix->addr };

	for (size_t bit = prefix->bits; bit < size; bit++)
		range.last.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return range;
}

/* Sorted and merged, so that one binary search answers: without merging, a
 * small network inside a large one would hide the rest of the large one. */
static enum err
set_networks(struct arena *arena, const struct conf_networks *networks,
    struct ranges *out)
{
	struct range *v = arena_alloc(arena, networks->n, sizeof(*v));
	size_t n = 0;

	if (v == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < networks->n; i++)
		v[i] = range_of(&networks->v[i]);
	qsort(v, networks->n, sizeof(*v), compare_ranges);
	/* two prefixes are apart or one holds the other */
	for (size_t i = 0; i < networks->n; i++) {
		const struct range *range = &v[i];

		if (n > 0 && ipaddr_compare(&range->first,
		    &v[n - 1].last) <= 0) {
			if (ipaddr_compare(&range->last, &v[n - 1].last) > 0)
				v[n - 1].last = range->last;
			continue;
		}
		v[n++] = *range;
	}
	*out = (struct ranges){ v, n };
	return OK;
}

/* The loader lets nothing but domains through; another kind of pattern here
 * would only never match. */
static enum err
add_domain(struct conf_match *match, struct span text)
{
	struct conf_pattern pattern = conf_name_pattern(text);
	size_t dot = pattern.kind == CONF_PATTERN_BELOW;
	uint8_t *copy;

	if (pattern.kind != CONF_PATTERN_DOMAIN &&
	    pattern.kind != CONF_PATTERN_BELOW)
		return OK;
	copy = arena_alloc(match->arena, pattern.domain.n + dot, 1);
	if (copy == NULL)
		return ERR_NOMEM;
	if (dot > 0)
		copy[0] = '.';
	text_lower(pattern.domain, copy + dot);
	match->domains[match->n_domains++] =
	    span_of(copy, pattern.domain.n + dot);
	return OK;
}

/* Doubles do no harm: either of them is found. */
static enum err
set_domains(struct conf_match *match, const struct conf_texts *domains)
{
	match->domains = arena_alloc(match->arena, domains->n,
	    sizeof(match->domains[0]));
	if (match->domains == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < domains->n; i++) {
		enum err e = add_domain(match, span_str(domains->v[i]));

		if (e != OK)
			return e;
	}
	qsort(match->domains, match->n_domains, sizeof(match->domains[0]),
	    compare_domains);
	return OK;
}

enum err
conf_match_new(const struct conf *conf, struct conf_match **out)
{
	struct conf_match *match = calloc(1, sizeof(*match));
	enum err e = ERR_NOMEM;

	if (match == NULL)
		return ERR_NOMEM;
	if ((match->arena = arena_new(MATCH_MEMORY_MAX)) != NULL)
		e = set_networks(match->arena, &conf->relay.networks,
		    &match->clients);
	if (e == OK)
		e = set_networks(match->arena, conf->relay.etrn.n > 0 ?
		    &conf->relay.etrn : &conf->relay.networks,
		    &match->callers);
	if (e == OK)
		e = set_domains(match, &conf->relay.domains);
	if (e != OK) {
		conf_match_free(&match);
		return e;
	}
	*out = match;
	return OK;
}

/* Ranges and domains go with the arena. */
void
conf_match_free(struct conf_match **match)
{
	if (match == NULL || *match == NULL)
		return;
	arena_free(&(*match)->arena);
	free(*match);
	*match = NULL;
}

/* For bsearch(): the ranges are disjoint, at most one holds the client. */
static int
compare_client(const void *key, const void *element)
{
	const struct ipaddr *client = key;
	const struct range *range = element;

	if (ipaddr_compare(client, &range->first) < 0)
		return -1;
	return ipaddr_compare(client, &range->last) > 0;
}

/* A struct ipaddr of a mapped address can still be made by hand. */
static struct ipaddr
unmapped(const struct ipaddr *client)
{
	return client->family == IPADDR_6 ? ipaddr_v6(client->bytes) : *client;
}

/* Families never mix: they are compared first. */
static bool
has_client(const struct ranges *ranges, const struct ipaddr *client)
{
	struct ipaddr address = unmapped(client);

	return address.family != IPADDR_NONE && ranges->n > 0 &&
	    bsearch(&address, ranges->v, ranges->n, sizeof(ranges->v[0]),
	    compare_client) != NULL;
}

bool
conf_match_client(const struct conf_match *match, const struct ipaddr *client)
{
	return has_client(&match->clients, client);
}

bool
conf_match_caller(const struct conf_match *match, const struct ipaddr *client)
{
	return has_client(&match->callers, client);
}

/* By bytes: both sides are in lower case. */
static bool
has_domain(const struct conf_match *match, struct span domain)
{
	return bsearch(&domain, match->domains, match->n_domains,
	    sizeof(match->domains[0]), compare_domains) != NULL;
}

/* The domain itself, or all below it, then `.` and each of its parents: as many
 * searches as it has labels, whatever the length of the list. */
static bool
has_domain_or_parent(const struct conf_match *match, struct span domain,
    bool is_below)
{
	uint8_t lower[CONF_NAME_DOMAIN_MAX + 2] = ".";
	char ascii[IDN_ASCII_MAX + 1];
	struct span rest;

	/* lists are in ASCII; no list has a name as long */
	if (idn_to_ascii(domain, ascii, &domain) != OK || domain.n == 0 || domain.n >= sizeof(lower) ||
	    match->n_domains == 0)
		return false;
	text_lower(domain, lower + 1);
	/* a leading dot is how the list marks `all below`: no such domain */
	if (lower[1] == '.')
		return false;
	rest = span_of(lower + !is_below, domain.n + is_below);
	if (has_domain(match, rest))
		return true;
	rest = span_of(lower + 1, domain.n);
	for (size_t dot = span_find(rest, '.'); dot < rest.n;
	    dot = span_find(rest, '.')) {
		rest = span_from(rest, dot);
		if (has_domain(match, rest))
			return true;
		rest = span_from(rest, 1);
	}
	return false;
}

bool
conf_match_domain(const struct conf_match *match, struct span domain)
{
	return has_domain_or_parent(match, domain, false);
}

bool
conf_match_below(const struct conf_match *match, struct span domain)
{
	return has_domain_or_parent(match, domain, true);
}
