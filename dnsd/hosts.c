/*
 * Read once, kept as a map from names to addresses.  The file comes from the
 * parent as bytes; it is the administrator's, but it is read as if it weren't:
 * what is malformed or too much is skipped, never an error.
 *
 * A name has all addresses of all its lines, each family in the file's order,
 * up to HOSTS_ADDRESSES.
 */
#include "dnsd/hosts.h"

#include <stdlib.h>

#include "common/base/map.h"
#include "common/base/text.h"
#include "common/dns/dns_names.h"

struct host {
	struct ipaddr v4[HOSTS_ADDRESSES];
	struct ipaddr v6[HOSTS_ADDRESSES];
	size_t n_v4;
	size_t n_v6;
	size_t name_n;
	uint8_t name[];			/* in lower case */
};

struct hosts {
	struct map_span map;
};

static struct span
key_of(const void *object)
{
	const struct host *host = object;

	return span_of(host->name, host->name_n);
}

/* Empty for what is no name. */
static struct span
lower(struct span name, uint8_t out[DNS_NAME_SIZE])
{
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n >= DNS_NAME_SIZE)
		return SPAN_NONE;
	text_lower(name, out);
	return span_of(out, name.n);
}

/* In the map already; NULL without memory. */
static struct host *
make_host(struct hosts *h, struct span key)
{
	struct host *host = calloc(1, sizeof(*host) + key.n);

	if (host == NULL)
		return NULL;
	host->name_n = key.n;
	memcpy(host->name, key.p, key.n);
	if (map_span_add(&h->map, host) != OK) {
		free(host);
		return NULL;
	}
	return host;
}

/* Beyond the limits nothing is added, and nothing said. */
static enum err
add(struct hosts *h, struct span name, const struct ipaddr *ip)
{
	uint8_t bytes[DNS_NAME_SIZE];
	struct span key = lower(name, bytes);
	struct host *host;

	if (key.n == 0)
		return OK;
	host = map_span_get(&h->map, key);
	if (host == NULL && map_span_count(&h->map) >= HOSTS_NAMES_MAX)
		return OK;
	if (host == NULL)
		host = make_host(h, key);
	if (host == NULL)
		return ERR_NOMEM;
	if (ip->family == IPADDR_4 && host->n_v4 < HOSTS_ADDRESSES)
		host->v4[host->n_v4++] = *ip;
	else if (ip->family == IPADDR_6 && host->n_v6 < HOSTS_ADDRESSES)
		host->v6[host->n_v6++] = *ip;
	return OK;
}

/* CR, too: the file may have been edited elsewhere. */
static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Takes it off LINE; empty at its end. */
static struct span
next_word(struct span *line)
{
	size_t from = 0, to;
	struct span word;

	while (from < line->n && is_blank(line->p[from]))
		from++;
	to = from;
	while (to < line->n && !is_blank(line->p[to]))
		to++;
	word = span_sub(*line, from, to - from);
	*line = span_from(*line, to);
	return word;
}

/* Address, name, further names; another line is skipped. */
static enum err
read_line(struct hosts *h, struct span line)
{
	struct span word = next_word(&line);
	struct ipaddr ip;
	enum err e = OK;

	if (ipaddr_parse(word, &ip) != OK)
		return OK;
	while (e == OK && (word = next_word(&line)).n > 0)
		e = add(h, word, &ip);
	return e;
}

/* A comment may begin anywhere in a line. */
static enum err
read_all(struct hosts *h, struct span bytes)
{
	while (bytes.n > 0) {
		size_t end = span_find(bytes, '\n');
		struct span line = span_sub(bytes, 0, end);
		enum err e = read_line(h,
		    span_sub(line, 0, span_find(line, '#')));

		if (e != OK)
			return e;
		bytes = span_from(bytes, end + 1);
	}
	return OK;
}

/* RFC 6761 6.3: never asked of the DNS.  What the file says goes first. */
static enum err
add_localhost(struct hosts *h)
{
	static const uint8_t v4[4] = { 127, 0, 0, 1 };
	static const uint8_t v6[16] = { [15] = 1 };
	struct span name = SPAN_LIT("localhost");
	struct ipaddr one = ipaddr_v4(v4), other = ipaddr_v6(v6);
	enum err e;

	if (map_span_get(&h->map, name) != NULL)
		return OK;
	e = add(h, name, &one);
	return e != OK ? e : add(h, name, &other);
}

/* localhost comes last, so that the file can say otherwise. */
enum err
hosts_new(struct span bytes, const struct siphash_key *seed,
    struct hosts **out)
{
	struct hosts *h = calloc(1, sizeof(*h));
	enum err e;

	if (h == NULL)
		return ERR_NOMEM;
	map_span_init(&h->map, seed, key_of);
	e = read_all(h, bytes);
	if (e == OK)
		e = add_localhost(h);
	if (e != OK) {
		hosts_free(&h);
		return e;
	}
	*out = h;
	return OK;
}

void
hosts_free(struct hosts **h)
{
	struct host *host;
	size_t cursor = 0;

	if (*h == NULL)
		return;
	/* the map lets objects go during a walk; the key is the object's */
	while ((host = map_span_next(&(*h)->map, &cursor)) != NULL) {
		(void)map_span_remove(&(*h)->map, key_of(host));
		free(host);
	}
	map_span_clear(&(*h)->map);
	free(*h);
	*h = NULL;
}

bool
hosts_find(const struct hosts *h, struct span name,
    enum ipaddr_family family, const struct ipaddr **list, size_t *n)
{
	uint8_t bytes[DNS_NAME_SIZE];
	const struct host *host = map_span_get(&h->map, lower(name, bytes));

	if (host == NULL)
		return false;
	*list = family == IPADDR_4 ? host->v4 : host->v6;
	*n = family == IPADDR_4 ? host->n_v4 : host->n_v6;
	return true;
}
