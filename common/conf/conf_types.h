/*
 * The types of configuration values.
 *
 * Pointers lead into the memory of the struct conf that holds the value.
 * Texts are NUL-terminated, free of control characters, and "" when absent.
 */
#ifndef MTAD_CONF_CONF_TYPES_H
#define MTAD_CONF_CONF_TYPES_H

#include "common/base/endpoint.h"
#include "common/conf/conf_choices.h"
#include "common/conf/conf_mechanism.h"
#include "common/conf/conf_rule_types.h"

enum conf_service { CONF_SERVICE_MX, CONF_SERVICE_SUBMISSION };

enum conf_listener_tls {
	CONF_LISTENER_TLS_NONE,
	CONF_LISTENER_TLS_STARTTLS,
	CONF_LISTENER_TLS_IMPLICIT,
};

enum conf_route_tls {
	CONF_ROUTE_TLS_NONE,
	CONF_ROUTE_TLS_OPPORTUNISTIC,
	CONF_ROUTE_TLS_REQUIRED,
	CONF_ROUTE_TLS_VERIFIED,
	CONF_ROUTE_TLS_DANE,
	CONF_ROUTE_TLS_STS,
	CONF_ROUTE_TLS_OPPORTUNISTIC_DANE_STS,
};

enum conf_level {
	CONF_LEVEL_ERROR,
	CONF_LEVEL_WARNING,
	CONF_LEVEL_INFO,
	CONF_LEVEL_DEBUG,
};

enum conf_format { CONF_FORMAT_TEXT, CONF_FORMAT_JSON, CONF_FORMAT_POSTFIX };
enum conf_newline { CONF_NEWLINE_REFUSE, CONF_NEWLINE_NORMALISE };
enum conf_language { CONF_LANGUAGE_EN };
enum conf_tls_reports { CONF_TLS_REPORTS_NONE, CONF_TLS_REPORTS_SEND };
enum conf_reverse { CONF_REVERSE_NONE, CONF_REVERSE_LOG, CONF_REVERSE_REFUSE };
/* Whose mail a quota counts together. */
enum conf_each { CONF_EACH_USER, CONF_EACH_CLIENT, CONF_EACH_NETWORK };

/* What to do about a temporary refusal. */
enum conf_shape { CONF_SHAPE_SLOW, CONF_SHAPE_BACK_OFF, CONF_SHAPE_SUSPEND,
	CONF_SHAPE_RETRY, CONF_SHAPE_NONE };

enum conf_address_kind {
	CONF_ADDRESS_NONE,
	CONF_ADDRESS_ANY,	/* every address: one IPv4, one IPv6 socket */
	CONF_ADDRESS_IP,
	CONF_ADDRESS_UNIX,
};

struct conf_address {
	enum conf_address_kind kind;
	struct endpoint endpoint;	/* of IP; the port also of ANY */
	const char *path;		/* of UNIX, else "" */
};

enum conf_scheme {
	CONF_SCHEME_MX,		/* the mail exchangers of the domain */
	CONF_SCHEME_SMTP, CONF_SCHEME_SMTPS, CONF_SCHEME_LMTP,
	CONF_SCHEME_DISCARD, CONF_SCHEME_REFUSE, CONF_SCHEME_HOLD, /* ours */
};

/* One next hop of a route: scheme://[user@]host[:port], or a word alone. */
struct conf_target {
	enum conf_scheme scheme;
	const char *user;
	const char *host;	/* name, address without brackets, or path */
	bool is_address;	/* host is the text of ip */
	struct ipaddr ip;
	uint16_t port;		/* 0: the default of the scheme */
};

/* All routes together: the patterns of `to` times those of `from`. */
#define CONF_ROUTE_PAIRS_MAX 200000

/* So many in so much time; 0 in 1 ms: no limit, 0 in 0 ms: not said. */
struct conf_rate {
	uint32_t count;
	uint32_t period_ms;
};

#define CONF_RATE_COUNT_MAX 1000000

/* A list of addresses in the DNS, and the answers that count, as numbers. */
struct conf_dnslist {
	const char *zone;
	uint32_t first, last;
};

#include "common/conf/conf_lists.h"

#endif
