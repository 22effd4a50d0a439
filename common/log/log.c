/*
 * A line is begun, gets its fields, and ends; in between it is written into
 * l->line (log_format.c) and then copied to the lines that wait (log_out.c).
 * No allocation after log_new(), no system call a line but the clock, which
 * the kernel answers without one.
 *
 * The price is that there can be only one open line: a function that is called
 * between log_begin() and log_end() must not log.
 */
#include "common/log/log.h"

#include "common/base/check.h"
#include "common/base/text.h"
#include "common/log/log_impl.h"

#include <stdlib.h>
#include <unistd.h>

/* log_ids.def is the list of all events; the manual is compared with it. */
#define LOG_EVENT(id, name, level, doc) { name, LOG_LEVEL_##level },
const struct log_row log_rows[LOG_ID_COUNT] = {
#include "common/log/log_ids.def"
};
#undef LOG_EVENT

/* The pid is asked once: a process that logs doesn't fork. */
enum err
log_new(const char *process, int fd, struct log **out)
{
	struct log *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return ERR_NOMEM;
	l->waiting = malloc(LOG_BUFFER_BYTES);
	if (l->waiting == NULL) {
		free(l);
		return ERR_NOMEM;
	}
	l->process = process;
	l->pid = (unsigned)getpid();
	l->level = LOG_LEVEL_INFO;
	l->second = -1;
	log_set_host(l, SPAN_LIT("localhost"));
	log_set_fd(l, fd);
	*out = l;
	return OK;
}

/* What can't be written now is lost. */
void
log_free(struct log **l)
{
	if (*l == NULL)
		return;
	(void)log_flush(*l);
	free((*l)->waiting);
	free(*l);
	*l = NULL;
}

void
log_set_level(struct log *l, enum log_level level)
{
	l->level = level;
}

/* The text of the date depends on it and is made anew. */
void
log_set_format(struct log *l, enum log_format format)
{
	l->format = format;
	l->second = -1;
}

/* Escaped once here, instead of in each line. */
void
log_set_host(struct log *l, struct span host)
{
	size_t n = text_escape(host, " ", l->host, sizeof(l->host) - 1);

	l->host[n] = '\0';
}

/* Called from inside log_end(), and not again before all has been written. */
void
log_set_notify(struct log *l, void (*fn)(void *ctx), void *ctx)
{
	l->notify = fn;
	l->notify_ctx = ctx;
}

static void
add_field(struct log *l, const struct log_field *f)
{
	switch (f->kind) {
	case LOG_KIND_TEXT:
		log_text(l, f->key, f->bytes);
		break;
	case LOG_KIND_ADDRESS:
		log_address(l, f->key, f->bytes);
		break;
	case LOG_KIND_U64:
		log_u64(l, f->key, f->number);
		break;
	case LOG_KIND_QUEUE_ID:
		log_queue_id(l, f->key, f->number);
		break;
	case LOG_KIND_IP:
		log_ip(l, f->key, f->ip);
		break;
	}
}

/* From the outermost inwards: message, recipient, attempt. */
static void
add_context(struct log *l, const struct log_context *c)
{
	if (c->up != NULL)
		add_context(l, c->up);
	for (size_t i = 0; i < c->n; i++)
		add_field(l, &c->fields[i]);
}

/* The level is asked first, so that events that are hidden cost one
 * comparison. */
bool
log_begin(struct log *l, enum log_id id, const struct log_context *c)
{
	MUST(!l->is_open && (unsigned)id < LOG_ID_COUNT);
	if (log_rows[id].level > l->level)
		return false;
	l->id = id;
	l->is_open = true;
	log_format_begin(l);
	if (c != NULL)
		add_context(l, c);
	return true;
}

/* Copied behind the lines that wait; the line's own memory is used again. */
void
log_end(struct log *l)
{
	MUST(l->is_open);
	l->is_open = false;
	log_format_end(l);
	log_out_add(l, l->line, l->n);
}

/* A context lies in its owner's object and borrows what it shows; nothing of
 * it is formatted before a line is written. */
void
log_context_init(struct log_context *c, const struct log_context *up)
{
	c->up = up;
	c->n = 0;
}

/* A field too many is a mistake that costs a field, no more. */
static void
add_to_context(struct log_context *c, const struct log_field *f)
{
	if (c->n < LOG_CONTEXT_FIELDS)
		c->fields[c->n++] = *f;
}

void
log_context_text(struct log_context *c, const char *key, struct span s)
{
	add_to_context(c, &(struct log_field){
		.key = key, .kind = LOG_KIND_TEXT, .bytes = s });
}

void
log_context_address(struct log_context *c, const char *key,
    struct span address)
{
	add_to_context(c, &(struct log_field){
		.key = key, .kind = LOG_KIND_ADDRESS, .bytes = address });
}

void
log_context_u64(struct log_context *c, const char *key, uint64_t v)
{
	add_to_context(c, &(struct log_field){
		.key = key, .kind = LOG_KIND_U64, .number = v });
}

void
log_context_queue_id(struct log_context *c, const char *key, uint64_t id)
{
	add_to_context(c, &(struct log_field){
		.key = key, .kind = LOG_KIND_QUEUE_ID, .number = id });
}

void
log_context_ip(struct log_context *c, const char *key,
    const struct ipaddr *ip)
{
	add_to_context(c, &(struct log_field){
		.key = key, .kind = LOG_KIND_IP, .ip = ip });
}

enum log_level
log_level(const struct log *l)
{
	return l->level;
}

uint64_t
log_dropped(const struct log *l)
{
	return l->dropped;
}

const char *
log_level_name(enum log_level level)
{
	static const char *const names[LOG_LEVEL_COUNT] = {
		"error", "warning", "info", "debug",
	};

	return (unsigned)level < LOG_LEVEL_COUNT ? names[level] : "unknown";
}

const char *
log_event_name(enum log_id id)
{
	return (unsigned)id < LOG_ID_COUNT ? log_rows[id].name : "unknown";
}
