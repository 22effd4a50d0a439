/*
 * The log of a process: named events, one line each, key=value fields.
 *
 *   if (log_begin(log, LOG_ACCEPTED, &session->log)) {
 *           log_queue_id(log, "id", id);
 *           log_address(log, "from", sender);
 *           log_u64(log, "size", size);
 *           log_end(log);
 *   }
 *
 * Lines gather in memory and leave by log_flush(), once a turn, with a write
 * that never blocks; what finds no room is dropped and counted (`log_dropped`).
 * Nothing foreign reaches a line unescaped, and no line is longer than
 * LOG_LINE_MAX: a field that does not fit is cut or left out.
 * Only daemons log; library rooms return errors.
 */
#ifndef MTAD_LOG_LOG_H
#define MTAD_LOG_LOG_H

#include "common/base/ipaddr.h"

#define LOG_LINE_MAX	2048		/* bytes with the newline */
#define LOG_VALUE_MAX	600		/* characters of one value */
#define LOG_BUFFER_BYTES ((size_t)256 * 1024)

enum log_level {
	LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG,
	LOG_LEVEL_COUNT
};

enum log_format { LOG_TEXT, LOG_JSON, LOG_POSTFIX, LOG_FORMAT_COUNT };

#define LOG_EVENT(id, name, level, doc) LOG_##id,
enum log_id {
#include "common/log/log_ids.def"
	LOG_ID_COUNT
};
#undef LOG_EVENT

struct log;

/*
 * Fields that every line about a thing carries: a session's, a message's, a
 * recipient's.  UP's come first.  It borrows names and bytes; a field beyond
 * LOG_CONTEXT_FIELDS is left out.
 */
#define LOG_CONTEXT_FIELDS 4

enum log_kind {
	LOG_KIND_TEXT, LOG_KIND_ADDRESS, LOG_KIND_U64, LOG_KIND_QUEUE_ID,
	LOG_KIND_IP
};

struct log_field {
	const char *key;
	enum log_kind kind;
	uint64_t number;
	struct span bytes;
	const struct ipaddr *ip;
};

struct log_context {
	const struct log_context *up;
	size_t n;
	struct log_field fields[LOG_CONTEXT_FIELDS];
};

void log_context_init(struct log_context *c, const struct log_context *up);
void log_context_text(struct log_context *c, const char *key, struct span s);
void log_context_address(struct log_context *c, const char *key,
    struct span address);
void log_context_u64(struct log_context *c, const char *key, uint64_t v);
void log_context_queue_id(struct log_context *c, const char *key, uint64_t id);
void log_context_ip(struct log_context *c, const char *key,
    const struct ipaddr *ip);

/* life: writes to FD, borrowed; PROCESS is a static name ("smtpd") */
enum err log_new(const char *process, int fd, struct log **out);
void log_free(struct log **l);		/* flushes */

void log_set_fd(struct log *l, int fd);	/* lines so far go there, too */
void log_set_level(struct log *l, enum log_level level);
void log_set_format(struct log *l, enum log_format format);
void log_set_host(struct log *l, struct span host);	/* for LOG_POSTFIX */

/* FN is called when a line is waiting and log_flush() is wanted. */
void log_set_notify(struct log *l, void (*fn)(void *ctx), void *ctx);

/* False when the level hides this event; else fields may follow and
 * log_end() must.  C may be NULL.  One line at a time. */
bool log_begin(struct log *l, enum log_id id, const struct log_context *c);
void log_text(struct log *l, const char *key, struct span s);
void log_str(struct log *l, const char *key, const char *s);
void log_address(struct log *l, const char *key, struct span address);
void log_u64(struct log *l, const char *key, uint64_t v);
void log_i64(struct log *l, const char *key, int64_t v);
void log_queue_id(struct log *l, const char *key, uint64_t id);
void log_ip(struct log *l, const char *key, const struct ipaddr *ip);
void log_ms(struct log *l, const char *key, int64_t ms);	/* "1.234s" */
void log_end(struct log *l);

/* Writes what waits; false when some of it must wait on: try again soon. */
bool log_flush(struct log *l);

/* inspection */
enum log_level log_level(const struct log *l);
uint64_t log_dropped(const struct log *l);		/* lines, ever */
const char *log_level_name(enum log_level level);
const char *log_event_name(enum log_id id);

#endif
