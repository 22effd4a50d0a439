/*
 * The schema as tables, for code that walks over all keys: defaults, loader,
 * wire, dump.  Users of values look at struct conf instead.
 *
 * Everything here is static and read-only.
 */
#ifndef MTAD_CONF_CONF_SCHEMA_H
#define MTAD_CONF_CONF_SCHEMA_H

#include "common/conf/conf.h"

enum conf_type {
	/* scalars: one text each */
	CONF_TYPE_HOST,
	CONF_TYPE_TEXT,
	CONF_TYPE_PATH,
	CONF_TYPE_MAILBOX,
	CONF_TYPE_COUNT, CONF_TYPE_PORT, CONF_TYPE_WORKERS,
	CONF_TYPE_SIZE, CONF_TYPE_TIME, CONF_TYPE_RATE,
	CONF_TYPE_ADDRESS,
	CONF_TYPE_METRICS,
	CONF_TYPE_SERVICE,
	CONF_TYPE_LISTENER_TLS,
	CONF_TYPE_ROUTE_TLS,
	CONF_TYPE_LEVEL, CONF_TYPE_FORMAT, CONF_TYPE_NEWLINE,
	CONF_TYPE_FAMILY, CONF_TYPE_LANGUAGE, CONF_TYPE_DOUBT,
	CONF_TYPE_EIGHT_BIT, CONF_TYPE_ROUTE_EIGHT_BIT,
	CONF_TYPE_ROUTE_DOUBT, CONF_TYPE_PRIVATE, CONF_TYPE_SHAPE,
	CONF_TYPE_REVERSE, CONF_TYPE_EACH, CONF_TYPE_BOUND, CONF_TYPE_MECHANISM,
	CONF_TYPE_TLS_REPORTS,
	/* elements of lists only */
	CONF_TYPE_NETWORK,
	CONF_TYPE_DOMAIN,
	CONF_TYPE_PATTERN,
	CONF_TYPE_SENDER,
	CONF_TYPE_USER,
	CONF_TYPE_GLOB,
	CONF_TYPE_SERVER,
	CONF_TYPE_TARGET, CONF_TYPE_HEADER,
	CONF_TYPE_DNSLIST,
	CONF_TYPE_LISTENER,	/* objects with a schema of their own */
	CONF_TYPE_ROUTE,
	CONF_TYPE_QUOTA, CONF_TYPE_PROVIDER, CONF_TYPE_SHAPING,
	/* lists */
	CONF_TYPE_NETWORKS,
	CONF_TYPE_DOMAINS,
	CONF_TYPE_PATHS,
	CONF_TYPE_PATTERNS,
	CONF_TYPE_SENDERS,
	CONF_TYPE_USERS,
	CONF_TYPE_GLOBS,
	CONF_TYPE_SERVERS,
	CONF_TYPE_TARGETS, CONF_TYPE_HEADERS,
	CONF_TYPE_DNSLISTS,
	CONF_TYPE_LISTENERS,
	CONF_TYPE_ROUTES,
	CONF_TYPE_QUOTAS,
	CONF_TYPE_RATES, CONF_TYPE_PROVIDERS, CONF_TYPE_SHAPINGS,
	CONF_TYPES,
};

enum conf_reload { CONF_RELOAD_LIVE, CONF_RELOAD_RESTART };

struct conf_row {
	const char *key;	/* with its section: "limits.message" */
	enum conf_type type;
	size_t offset;		/* of the member in its struct */
	const char *fallback;	/* the default, as one would write it */
	int64_t min, max;
	enum conf_reload reload;
	unsigned readers;
	const char *doc;
};

struct conf_schema {
	const char *prefix;	/* "" or "routes[]." */
	const struct conf_row *rows;
	size_t n;
};

extern const struct conf_schema conf_schema_main;
extern const struct conf_schema conf_schema_listener;
extern const struct conf_schema conf_schema_route;
extern const struct conf_schema conf_schema_quota;
extern const struct conf_schema conf_schema_provider;
extern const struct conf_schema conf_schema_shaping;

/* The sentence of a section of the main schema; NULL when there is none. */
const char *conf_schema_section(struct span name);

/* The row of a key ("limits.message", "auth.user"), or NULL. */
const struct conf_row *conf_schema_find(const struct conf_schema *schema,
    struct span key);

/* Bytes of a scalar's or an element's C type. */
size_t conf_type_size(enum conf_type type);

/* The type of a list's elements; TYPE itself when it is no list. */
enum conf_type conf_type_element(enum conf_type type);

/* Of an object (LISTENER, ROUTE, QUOTA), else NULL. */
const struct conf_schema *conf_type_schema(enum conf_type type);

static inline bool
conf_type_is_list(enum conf_type type)
{
	return type >= CONF_TYPE_NETWORKS;
}

/* All list members have this layout; they are read and written by copy. */
struct conf_list {
	void *v;
	size_t n;
};

struct conf_list conf_list_get(const struct conf_row *row, const void *base);
void conf_list_set(const struct conf_row *row, void *base,
    struct conf_list list);

#endif
