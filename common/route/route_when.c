/*
 * Only rules that ask more than recipient and sender come here, and only when
 * those two match.
 */
#include "common/route/route_when.h"

#include "common/base/glob.h"
#include "common/mail/header_notes.h"

struct route_when {
	struct conf_networks clients;	/* empty lists: any */
	struct conf_texts users;
	struct conf_bound size;
	struct conf_headers headers;
	bool is_hold;
};

/* ---- making ---- */

static enum err
copy_texts(struct arena *arena, const struct conf_texts *from,
    struct conf_texts *to)
{
	if ((to->v = arena_alloc(arena, from->n, sizeof(*to->v))) == NULL)
		return ERR_NOMEM;
	for (to->n = 0; to->n < from->n; to->n++) {
		to->v[to->n] = arena_text(arena, span_str(from->v[to->n]));
		if (to->v[to->n] == NULL)
			return ERR_NOMEM;
	}
	return OK;
}

static enum err
copy_headers(struct arena *arena, const struct conf_headers *from,
    struct conf_headers *to)
{
	if ((to->v = arena_alloc(arena, from->n, sizeof(*to->v))) == NULL)
		return ERR_NOMEM;
	for (to->n = 0; to->n < from->n; to->n++) {
		const struct conf_header *h = &from->v[to->n];
		struct conf_header *copy = &to->v[to->n];

		copy->name = arena_text(arena, span_str(h->name));
		copy->glob = arena_text(arena, span_str(h->glob));
		if (copy->name == NULL || copy->glob == NULL)
			return ERR_NOMEM;
	}
	return OK;
}

static enum err
copy_networks(struct arena *arena, const struct conf_networks *from,
    struct conf_networks *to)
{
	if ((to->v = arena_alloc(arena, from->n, sizeof(*to->v))) == NULL)
		return ERR_NOMEM;
	if (from->n > 0)
		memcpy(to->v, from->v, from->n * sizeof(*to->v));
	to->n = from->n;
	return OK;
}

enum err
route_when_make(struct arena *arena, const struct conf_route *rule,
    const struct route_when **out)
{
	struct route_when *when;

	*out = NULL;
	if (rule->client.n == 0 && rule->user.n == 0 && rule->header.n == 0 &&
	    rule->size.is == CONF_BOUND_NONE &&
	    rule->via.v[0].scheme != CONF_SCHEME_HOLD)
		return OK;
	if ((when = arena_alloc(arena, 1, sizeof(*when))) == NULL ||
	    copy_networks(arena, &rule->client, &when->clients) != OK ||
	    copy_texts(arena, &rule->user, &when->users) != OK ||
	    copy_headers(arena, &rule->header, &when->headers) != OK)
		return ERR_NOMEM;
	when->size = rule->size;
	when->is_hold = rule->via.v[0].scheme == CONF_SCHEME_HOLD;
	*out = when;
	return OK;
}

/* ---- asking ---- */

/* What is no address is this host, which is in no network. */
static bool
has_client(const struct conf_networks *networks, struct span client)
{
	struct ipaddr addr;

	if (client.n != 4 && client.n != 16)
		return false;
	addr = client.n == 4 ? ipaddr_v4(client.p) : ipaddr_v6(client.p);
	for (size_t i = 0; i < networks->n; i++)
		if (ipaddr_prefix_has(&networks->v[i], &addr))
			return true;
	return false;
}

/* `*` is everybody who authenticated, `<>` who did not. */
static bool
has_user(const struct conf_texts *users, struct span user)
{
	for (size_t i = 0; i < users->n; i++) {
		struct span glob = span_str(users->v[i]);

		if (user.n == 0 ? span_equal(glob, SPAN_LIT("<>")) :
		    glob_match(glob, user))
			return true;
	}
	return false;
}

static bool
has_size(const struct conf_bound *bound, uint64_t size)
{
	switch (bound->is) {
	case CONF_BOUND_NONE:
		break;
	case CONF_BOUND_ABOVE:
		return size > bound->bytes;
	case CONF_BOUND_AT_LEAST:
		return size >= bound->bytes;
	case CONF_BOUND_BELOW:
		return size < bound->bytes;
	case CONF_BOUND_AT_MOST:
		return size <= bound->bytes;
	}
	return true;
}

static bool
has_header(const struct conf_headers *wanted, struct span notes)
{
	struct span name, value;

	while (header_notes_next(&notes, &name, &value))
		for (size_t i = 0; i < wanted->n; i++)
			if (span_equal_nocase(name,
			    span_str(wanted->v[i].name)) &&
			    glob_match(span_str(wanted->v[i].glob), value))
				return true;
	return false;
}

bool
route_when_holds(const struct route_when *when,
    const struct route_facts *facts, bool is_early)
{
	if (when->is_hold && facts->is_released)
		return false;
	if (when->clients.n > 0 && !has_client(&when->clients, facts->client))
		return false;
	if (when->users.n > 0 && !has_user(&when->users, facts->user))
		return false;
	return is_early || (has_size(&when->size, facts->size) &&
	    (when->headers.n == 0 ||
	    has_header(&when->headers, facts->headers)));
}

enum route_why
route_when_miss(const struct conf_route *rule,
    const struct route_facts *facts)
{
	if (rule->via.v[0].scheme == CONF_SCHEME_HOLD && facts->is_released)
		return ROUTE_WHY_RELEASED;
	if (rule->client.n > 0 && !has_client(&rule->client, facts->client))
		return ROUTE_WHY_CLIENT;
	if (rule->user.n > 0 && !has_user(&rule->user, facts->user))
		return ROUTE_WHY_USER;
	if (!has_size(&rule->size, facts->size))
		return ROUTE_WHY_SIZE;
	if (rule->header.n > 0 && !has_header(&rule->header, facts->headers))
		return ROUTE_WHY_HEADER;
	return ROUTE_WHY_NONE;
}

bool
route_when_is_late(const struct route_when *when)
{
	return when->size.is != CONF_BOUND_NONE || when->headers.n > 0;
}
