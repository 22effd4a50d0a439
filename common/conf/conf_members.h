/*
 * The C type of each type of the schema, for the structs that conf.h makes of
 * it: CONF_MEMBER_TYPE(key) declares the member of a row.
 */
#ifndef MTAD_CONF_CONF_MEMBERS_H
#define MTAD_CONF_CONF_MEMBERS_H

#define CONF_MEMBER_HOST(key)		const char *key
#define CONF_MEMBER_TEXT(key)		const char *key
#define CONF_MEMBER_PATH(key)		const char *key
#define CONF_MEMBER_MAILBOX(key)	const char *key
#define CONF_MEMBER_COUNT(key)		uint32_t key
#define CONF_MEMBER_PORT(key)		uint32_t key
#define CONF_MEMBER_WORKERS(key)	uint32_t key	/* 0: auto */
#define CONF_MEMBER_SIZE(key)		uint64_t key##_bytes
#define CONF_MEMBER_TIME(key)		int64_t key##_ms
#define CONF_MEMBER_RATE(key)		struct conf_rate key
#define CONF_MEMBER_ADDRESS(key)	struct conf_address key
#define CONF_MEMBER_METRICS(key)	struct conf_address key
#define CONF_MEMBER_SERVICE(key)	enum conf_service key
#define CONF_MEMBER_LISTENER_TLS(key)	enum conf_listener_tls key
#define CONF_MEMBER_ROUTE_TLS(key)	enum conf_route_tls key
#define CONF_MEMBER_LEVEL(key)		enum conf_level key
#define CONF_MEMBER_FORMAT(key)		enum conf_format key
#define CONF_MEMBER_NEWLINE(key)	enum conf_newline key
#define CONF_MEMBER_FAMILY(key)		enum conf_family key
#define CONF_MEMBER_LANGUAGE(key)	enum conf_language key
#define CONF_MEMBER_DOUBT(key)		enum conf_doubt key
#define CONF_MEMBER_EIGHT_BIT(key)	enum conf_eight_bit key
#define CONF_MEMBER_ROUTE_EIGHT_BIT(key) enum conf_route_eight_bit key
#define CONF_MEMBER_ROUTE_DOUBT(key)	enum conf_route_doubt key
#define CONF_MEMBER_PRIVATE(key)	enum conf_private key
#define CONF_MEMBER_REVERSE(key)	enum conf_reverse key
#define CONF_MEMBER_MECHANISM(key)	enum conf_mechanism key
#define CONF_MEMBER_TLS_REPORTS(key)	enum conf_tls_reports key
#define CONF_MEMBER_EACH(key)		enum conf_each key
#define CONF_MEMBER_BOUND(key)		struct conf_bound key
#define CONF_MEMBER_SHAPE(key)		enum conf_shape key
#define CONF_MEMBER_NETWORKS(key)	struct conf_networks key
#define CONF_MEMBER_DOMAINS(key)	struct conf_texts key
#define CONF_MEMBER_PATHS(key)		struct conf_texts key
#define CONF_MEMBER_PATTERNS(key)	struct conf_texts key
#define CONF_MEMBER_USERS(key)		struct conf_texts key
#define CONF_MEMBER_GLOBS(key)		struct conf_texts key
#define CONF_MEMBER_SENDERS(key)	struct conf_texts key
#define CONF_MEMBER_SERVERS(key)	struct conf_endpoints key
#define CONF_MEMBER_TARGETS(key)	struct conf_targets key
#define CONF_MEMBER_HEADERS(key)	struct conf_headers key
#define CONF_MEMBER_DNSLISTS(key)	struct conf_dnslists key
#define CONF_MEMBER_LISTENERS(key)	struct conf_listeners key
#define CONF_MEMBER_ROUTES(key)		struct conf_routes key
#define CONF_MEMBER_QUOTAS(key)		struct conf_quotas key
#define CONF_MEMBER_RATES(key)		struct conf_rates key
#define CONF_MEMBER_PROVIDERS(key)	struct conf_providers key
#define CONF_MEMBER_SHAPINGS(key)	struct conf_shapings key

#endif
