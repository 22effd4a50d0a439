/*
 * The configuration as the processes use it: checked, complete, read-only.
 *
 * A struct conf owns all that it points to, in one arena.  Its members follow
 * conf_schema.def: conf->limits.message_bytes is the key limits.message.
 * Made by confload from a file or by conf_wire from another process's bytes;
 * a child sees the values of which it is a reader, and defaults elsewhere.
 * Pure: no system call, no file, no name service.
 */
#ifndef MTAD_CONF_CONF_H
#define MTAD_CONF_CONF_H

#include "common/base/err.h"
#include "common/base/span.h"
#include "common/conf/conf_types.h"

struct arena;

/* Who reads a value; sets of them. */
enum conf_reader {
	CONF_PARENT = 1 << 0,
	CONF_SMTPD = 1 << 1,
	CONF_QUEUED = 1 << 2,
	CONF_DELIVERD = 1 << 3,
	CONF_DNSD = 1 << 4,
	CONF_KEYD = 1 << 5,
	CONF_ALL = (1 << 6) - 1,
};

/* The C type of each type of the schema. */
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
#define CONF_MEMBER_REVERSE(key)	enum conf_reverse key
#define CONF_MEMBER_NETWORKS(key)	struct conf_networks key
#define CONF_MEMBER_DOMAINS(key)	struct conf_texts key
#define CONF_MEMBER_PATHS(key)		struct conf_texts key
#define CONF_MEMBER_PATTERNS(key)	struct conf_texts key
#define CONF_MEMBER_USERS(key)		struct conf_texts key
#define CONF_MEMBER_SENDERS(key)	struct conf_texts key
#define CONF_MEMBER_SERVERS(key)	struct conf_endpoints key
#define CONF_MEMBER_TARGETS(key)	struct conf_targets key
#define CONF_MEMBER_DNSLISTS(key)	struct conf_dnslists key
#define CONF_MEMBER_LISTENERS(key)	struct conf_listeners key
#define CONF_MEMBER_ROUTES(key)		struct conf_routes key

/* One pass over the schema for each struct; conf_rows.def names what a pass
 * leaves out. */
struct conf_listener {
#define CONF_LISTENER(type, member, ...) CONF_MEMBER_##type(member);
#include "common/conf/conf_rows.def"
};

struct conf_listeners {
	struct conf_listener *v;
	size_t n;
};

struct conf_route {
#define CONF_ROUTE(type, member, ...) CONF_MEMBER_##type(member);
#include "common/conf/conf_rows.def"
};

struct conf_routes {
	struct conf_route *v;
	size_t n;
};

struct conf {
	struct arena *arena;
#define CONF_SECTION(section, doc) struct {
#define CONF_END(section) } section;
#define CONF_TOP(type, key, ...) CONF_MEMBER_##type(key);
#define CONF_ROW(type, section, key, ...) CONF_MEMBER_##type(key);
#include "common/conf/conf_rows.def"
};

/* life.  conf_new gives the defaults as the schema has them; what depends on
 * the host (hostname, helo, postmaster, workers) is then filled in by
 * conf_load, or came over the wire. */
enum err conf_new(struct conf **out);
void conf_free(struct conf **conf);

/* What a reload from A to B changes, for the readers in WHO. */
struct conf_change {
	const char *key;	/* "limits.message"; static */
	unsigned readers;	/* enum conf_reader */
	bool needs_restart;
};

#define CONF_CHANGES_MAX 96	/* no schema has more top-level keys */

/* Fills OUT, which has room for CONF_CHANGES_MAX, and returns how many. */
size_t conf_compare(const struct conf *a, const struct conf *b, unsigned who,
    struct conf_change *out);

#endif
