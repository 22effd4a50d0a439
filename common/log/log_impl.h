/*
 * The inside of a log, for this room alone: log.c is its life and lines,
 * log_format.c writes one line, log_out.c brings them out.
 */
#ifndef MTAD_LOG_LOG_IMPL_H
#define MTAD_LOG_LOG_IMPL_H

#include "common/log/log.h"

/* Kept free at the end of a line for its end and the sign of a cut. */
#define LOG_TAIL_BYTES	16

enum log_target {
	LOG_TO_FILE,		/* never blocks for long */
	LOG_TO_SOCKET,		/* MSG_DONTWAIT */
	LOG_TO_OTHER,		/* a pipe or terminal: asked before */
};

struct log {
	const char *process;
	unsigned pid;
	char host[256];			/* for LOG_POSTFIX, escaped */
	enum log_level level;
	enum log_format format;

	/* the line being written */
	char line[LOG_LINE_MAX];
	size_t n;
	enum log_id id;
	bool is_open;
	bool is_cut;			/* a field was left out */
	bool is_event_due;		/* LOG_POSTFIX: behind the queue id */

	/* text of the last second that a line was written in */
	int64_t second;
	char date[32];
	size_t date_n;

	/* lines that wait */
	char *waiting;			/* LOG_BUFFER_BYTES */
	size_t waiting_n;
	int fd;
	enum log_target target;
	uint64_t dropped;
	uint64_t dropped_told;
	void (*notify)(void *ctx);
	void *notify_ctx;
};

struct log_row {
	const char *name;
	enum log_level level;
};

extern const struct log_row log_rows[LOG_ID_COUNT];

/* log_format.c: the beginning and end of a line (log_text() and its like are
 * there, too) */
void log_format_begin(struct log *l);
void log_format_end(struct log *l);

/* log_out.c */
void log_out_add(struct log *l, const char *line, size_t n);

#endif
