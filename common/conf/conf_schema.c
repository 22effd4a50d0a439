#include "common/conf/conf_schema.h"

#include "common/base/check.h"

/*
 * One table for each struct, made from the same rows that made the struct
 * itself: a key, its member and its type can't disagree.
 */

/* the offset of a member whose name carries its unit */
#define AT_HOST(of, key)		offsetof(of, key)
#define AT_TEXT(of, key)		offsetof(of, key)
#define AT_PATH(of, key)		offsetof(of, key)
#define AT_MAILBOX(of, key)		offsetof(of, key)
#define AT_COUNT(of, key)		offsetof(of, key)
#define AT_PORT(of, key)		offsetof(of, key)
#define AT_WORKERS(of, key)		offsetof(of, key)
#define AT_SIZE(of, key)		offsetof(of, key##_bytes)
#define AT_TIME(of, key)		offsetof(of, key##_ms)
#define AT_RATE(of, key)		offsetof(of, key)
#define AT_ADDRESS(of, key)		offsetof(of, key)
#define AT_METRICS(of, key)		offsetof(of, key)
#define AT_SERVICE(of, key)		offsetof(of, key)
#define AT_LISTENER_TLS(of, key)	offsetof(of, key)
#define AT_ROUTE_TLS(of, key)		offsetof(of, key)
#define AT_LEVEL(of, key)		offsetof(of, key)
#define AT_FORMAT(of, key)		offsetof(of, key)
#define AT_NEWLINE(of, key)		offsetof(of, key)
#define AT_FAMILY(of, key)		offsetof(of, key)
#define AT_LANGUAGE(of, key)		offsetof(of, key)
#define AT_DOUBT(of, key)		offsetof(of, key)
#define AT_EIGHT_BIT(of, key)		offsetof(of, key)
#define AT_ROUTE_EIGHT_BIT(of, key)	offsetof(of, key)
#define AT_ROUTE_DOUBT(of, key)		offsetof(of, key)
#define AT_PRIVATE(of, key)		offsetof(of, key)
#define AT_REVERSE(of, key)		offsetof(of, key)
#define AT_TLS_REPORTS(of, key)		offsetof(of, key)
#define AT_EACH(of, key)		offsetof(of, key)
#define AT_BOUND(of, key)		offsetof(of, key)
#define AT_MECHANISM(of, key)		offsetof(of, key)
#define AT_SHAPE(of, key)		offsetof(of, key)
#define AT_NETWORKS(of, key)		offsetof(of, key)
#define AT_DOMAINS(of, key)		offsetof(of, key)
#define AT_PATHS(of, key)		offsetof(of, key)
#define AT_PATTERNS(of, key)		offsetof(of, key)
#define AT_USERS(of, key)		offsetof(of, key)
#define AT_GLOBS(of, key)		offsetof(of, key)
#define AT_SENDERS(of, key)		offsetof(of, key)
#define AT_SERVERS(of, key)		offsetof(of, key)
#define AT_TARGETS(of, key)		offsetof(of, key)
#define AT_HEADERS(of, key)		offsetof(of, key)
#define AT_DNSLISTS(of, key)		offsetof(of, key)
#define AT_LISTENERS(of, key)		offsetof(of, key)
#define AT_ROUTES(of, key)		offsetof(of, key)
#define AT_QUOTAS(of, key)		offsetof(of, key)
#define AT_RATES(of, key)		offsetof(of, key)
#define AT_PROVIDERS(of, key)		offsetof(of, key)
#define AT_SHAPINGS(of, key)		offsetof(of, key)

/* the readers of a row, as the schema names them */
#define ALL		CONF_ALL
#define PARENT		CONF_PARENT
#define SMTPD		CONF_SMTPD
#define QUEUED		CONF_QUEUED
#define DELIVERD	CONF_DELIVERD
#define DNSD		CONF_DNSD
#define KEYD		CONF_KEYD
#define FETCHD		CONF_FETCHD

static const struct conf_row main_rows[] = {
#define CONF_TOP(type, key, fallback, min, max, reload, readers, doc)	\
	{ #key, CONF_TYPE_##type, AT_##type(struct conf, key),		\
	    fallback, min, max, CONF_RELOAD_##reload, readers, doc },
#define CONF_ROW(type, section, key, fallback, min, max, reload, readers, doc) \
	{ #section "." #key, CONF_TYPE_##type,				\
	    AT_##type(struct conf, section.key), fallback, min, max,	\
	    CONF_RELOAD_##reload, readers, doc },
#include "common/conf/conf_rows.def"
};

static const struct conf_row listener_rows[] = {
#define CONF_LISTENER(type, member, key, fallback, min, max, doc)	\
	{ key, CONF_TYPE_##type, AT_##type(struct conf_listener, member), \
	    fallback, min, max, CONF_RELOAD_LIVE, ALL, doc },
#include "common/conf/conf_rows.def"
};

static const struct conf_row route_rows[] = {
#define CONF_ROUTE(type, member, key, fallback, min, max, doc)		\
	{ key, CONF_TYPE_##type, AT_##type(struct conf_route, member),	\
	    fallback, min, max, CONF_RELOAD_LIVE, ALL, doc },
#include "common/conf/conf_rows.def"
};

static const struct conf_row quota_rows[] = {
#define CONF_QUOTA(type, member, key, fallback, min, max, doc)		\
	{ key, CONF_TYPE_##type, AT_##type(struct conf_quota, member),	\
	    fallback, min, max, CONF_RELOAD_LIVE, ALL, doc },
#include "common/conf/conf_rows.def"
};

static const struct conf_row provider_rows[] = {
#define CONF_PROVIDER(type, member, key, fallback, min, max, doc)	\
	{ key, CONF_TYPE_##type, AT_##type(struct conf_provider, member), \
	    fallback, min, max, CONF_RELOAD_LIVE, ALL, doc },
#include "common/conf/conf_rows.def"
};

static const struct conf_row shaping_rows[] = {
#define CONF_SHAPING(type, member, key, fallback, min, max, doc)	\
	{ key, CONF_TYPE_##type, AT_##type(struct conf_shaping, member), \
	    fallback, min, max, CONF_RELOAD_LIVE, ALL, doc },
#include "common/conf/conf_rows.def"
};

static const struct section {
	const char *name;
	const char *doc;
} sections[] = {
#define CONF_SECTION(section, doc) { #section, doc },
#include "common/conf/conf_rows.def"
};

const struct conf_schema conf_schema_main = {
	"", main_rows, COUNT_OF(main_rows)
};
const struct conf_schema conf_schema_listener = {
	"listeners[].", listener_rows, COUNT_OF(listener_rows)
};
const struct conf_schema conf_schema_route = {
	"routes[].", route_rows, COUNT_OF(route_rows)
};
const struct conf_schema conf_schema_quota = {
	"quotas[].", quota_rows, COUNT_OF(quota_rows)
};

const struct conf_schema conf_schema_provider = {
	"providers[].", provider_rows, COUNT_OF(provider_rows)
};
const struct conf_schema conf_schema_shaping = {
	"shaping[].", shaping_rows, COUNT_OF(shaping_rows)
};

_Static_assert(COUNT_OF(main_rows) <= CONF_CHANGES_MAX, "see conf.h");

/* By type; 0 for the lists, which all are a struct conf_list. */
static const size_t sizes[CONF_TYPES] = {
	[CONF_TYPE_HOST] = sizeof(const char *),
	[CONF_TYPE_TEXT] = sizeof(const char *),
	[CONF_TYPE_PATH] = sizeof(const char *),
	[CONF_TYPE_MAILBOX] = sizeof(const char *),
	[CONF_TYPE_COUNT] = sizeof(uint32_t),
	[CONF_TYPE_PORT] = sizeof(uint32_t),
	[CONF_TYPE_WORKERS] = sizeof(uint32_t),
	[CONF_TYPE_SIZE] = sizeof(uint64_t),
	[CONF_TYPE_TIME] = sizeof(int64_t),
	[CONF_TYPE_RATE] = sizeof(struct conf_rate),
	[CONF_TYPE_ADDRESS] = sizeof(struct conf_address),
	[CONF_TYPE_METRICS] = sizeof(struct conf_address),
	[CONF_TYPE_SERVICE] = sizeof(enum conf_service),
	[CONF_TYPE_LISTENER_TLS] = sizeof(enum conf_listener_tls),
	[CONF_TYPE_ROUTE_TLS] = sizeof(enum conf_route_tls),
	[CONF_TYPE_LEVEL] = sizeof(enum conf_level),
	[CONF_TYPE_FORMAT] = sizeof(enum conf_format),
	[CONF_TYPE_NEWLINE] = sizeof(enum conf_newline),
	[CONF_TYPE_FAMILY] = sizeof(enum conf_family),
	[CONF_TYPE_LANGUAGE] = sizeof(enum conf_language),
	[CONF_TYPE_DOUBT] = sizeof(enum conf_doubt),
	[CONF_TYPE_EIGHT_BIT] = sizeof(enum conf_eight_bit),
	[CONF_TYPE_ROUTE_EIGHT_BIT] = sizeof(enum conf_route_eight_bit),
	[CONF_TYPE_ROUTE_DOUBT] = sizeof(enum conf_route_doubt),
	[CONF_TYPE_PRIVATE] = sizeof(enum conf_private),
	[CONF_TYPE_REVERSE] = sizeof(enum conf_reverse),
	[CONF_TYPE_TLS_REPORTS] = sizeof(enum conf_tls_reports),
	[CONF_TYPE_EACH] = sizeof(enum conf_each),
	[CONF_TYPE_BOUND] = sizeof(struct conf_bound),
	[CONF_TYPE_MECHANISM] = sizeof(enum conf_mechanism),
	[CONF_TYPE_SHAPE] = sizeof(enum conf_shape),
	[CONF_TYPE_NETWORK] = sizeof(struct ipaddr_prefix),
	[CONF_TYPE_DOMAIN] = sizeof(const char *),
	[CONF_TYPE_PATTERN] = sizeof(const char *),
	[CONF_TYPE_SENDER] = sizeof(const char *),
	[CONF_TYPE_USER] = sizeof(const char *),
	[CONF_TYPE_GLOB] = sizeof(const char *),
	[CONF_TYPE_SERVER] = sizeof(struct endpoint),
	[CONF_TYPE_TARGET] = sizeof(struct conf_target),
	[CONF_TYPE_HEADER] = sizeof(struct conf_header),
	[CONF_TYPE_DNSLIST] = sizeof(struct conf_dnslist),
	[CONF_TYPE_LISTENER] = sizeof(struct conf_listener),
	[CONF_TYPE_ROUTE] = sizeof(struct conf_route),
	[CONF_TYPE_QUOTA] = sizeof(struct conf_quota),
	[CONF_TYPE_PROVIDER] = sizeof(struct conf_provider),
	[CONF_TYPE_SHAPING] = sizeof(struct conf_shaping),
};

/* By list type. */
static const enum conf_type elements[CONF_TYPES] = {
	[CONF_TYPE_NETWORKS] = CONF_TYPE_NETWORK,
	[CONF_TYPE_DOMAINS] = CONF_TYPE_DOMAIN,
	[CONF_TYPE_PATHS] = CONF_TYPE_PATH,
	[CONF_TYPE_PATTERNS] = CONF_TYPE_PATTERN,
	[CONF_TYPE_SENDERS] = CONF_TYPE_SENDER,
	[CONF_TYPE_USERS] = CONF_TYPE_USER,
	[CONF_TYPE_GLOBS] = CONF_TYPE_GLOB,
	[CONF_TYPE_SERVERS] = CONF_TYPE_SERVER,
	[CONF_TYPE_TARGETS] = CONF_TYPE_TARGET,
	[CONF_TYPE_HEADERS] = CONF_TYPE_HEADER,
	[CONF_TYPE_DNSLISTS] = CONF_TYPE_DNSLIST,
	[CONF_TYPE_LISTENERS] = CONF_TYPE_LISTENER,
	[CONF_TYPE_ROUTES] = CONF_TYPE_ROUTE,
	[CONF_TYPE_QUOTAS] = CONF_TYPE_QUOTA,
	[CONF_TYPE_RATES] = CONF_TYPE_RATE,
	[CONF_TYPE_PROVIDERS] = CONF_TYPE_PROVIDER,
	[CONF_TYPE_SHAPINGS] = CONF_TYPE_SHAPING,
};

/* The section's one sentence for people, or NULL. */
const char *
conf_schema_section(struct span name)
{
	for (size_t i = 0; i < COUNT_OF(sections); i++)
		if (span_equal(name, span_str(sections[i].name)))
			return sections[i].doc;
	return NULL;
}

const struct conf_row *
conf_schema_find(const struct conf_schema *schema, struct span key)
{
	for (size_t i = 0; i < schema->n; i++)
		if (span_equal(key, span_str(schema->rows[i].key)))
			return &schema->rows[i];
	return NULL;
}

/* Of a value in its struct or in a list's array. */
size_t
conf_type_size(enum conf_type type)
{
	MUST(type < CONF_TYPES && sizes[type] != 0);
	return sizes[type];
}

/* The type of a list's elements; other types are their own. */
enum conf_type
conf_type_element(enum conf_type type)
{
	return conf_type_is_list(type) ? elements[type] : type;
}

/* The schema of an element that has members of its own, or NULL. */
const struct conf_schema *
conf_type_schema(enum conf_type type)
{
	switch (type) {
	case CONF_TYPE_LISTENER:
		return &conf_schema_listener;
	case CONF_TYPE_ROUTE:
		return &conf_schema_route;
	case CONF_TYPE_QUOTA:
		return &conf_schema_quota;
	case CONF_TYPE_PROVIDER:
		return &conf_schema_provider;
	case CONF_TYPE_SHAPING:
		return &conf_schema_shaping;
	default:
		return NULL;
	}
}

/* By copy, as struct conf_texts and its like are types of their own, and only
 * their layout is the same. */
struct conf_list
conf_list_get(const struct conf_row *row, const void *base)
{
	struct conf_list list;

	memcpy(&list, (const char *)base + row->offset, sizeof(list));
	return list;
}

void
conf_list_set(const struct conf_row *row, void *base, struct conf_list list)
{
	memcpy((char *)base + row->offset, &list, sizeof(list));
}
