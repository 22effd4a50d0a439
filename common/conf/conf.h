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
#include "common/conf/conf_members.h"
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
	CONF_FETCHD = 1 << 6,
	CONF_ALL = (1 << 7) - 1,
};

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
	uint32_t line;		/* of conf->file, where the rule begins; or 0 */
#define CONF_ROUTE(type, member, ...) CONF_MEMBER_##type(member);
#include "common/conf/conf_rows.def"
};

struct conf_routes {
	struct conf_route *v;
	size_t n;
};

struct conf_quota {
#define CONF_QUOTA(type, member, ...) CONF_MEMBER_##type(member);
#include "common/conf/conf_rows.def"
};

struct conf_quotas {
	struct conf_quota *v;
	size_t n;
};

struct conf_provider {
#define CONF_PROVIDER(type, member, ...) CONF_MEMBER_##type(member);
#include "common/conf/conf_rows.def"
};

struct conf_providers {
	struct conf_provider *v;
	size_t n;
};

struct conf_shaping {
#define CONF_SHAPING(type, member, ...) CONF_MEMBER_##type(member);
#include "common/conf/conf_rows.def"
};

struct conf_shapings {
	struct conf_shaping *v;
	size_t n;
};

struct conf {
	struct arena *arena;
	const char *file;	/* that it was read from, absolute; "": none */
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
