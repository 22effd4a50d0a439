/*
 * What mtactl prints: gathered in a buffer, made for people or for programs.
 *
 * Whatever came from the network is escaped before it meets a terminal.
 */
#ifndef MTAD_MTACTL_OUTPUT_H
#define MTAD_MTACTL_OUTPUT_H

#include "common/base/json.h"

enum output_colour {
	OUTPUT_PLAIN, OUTPUT_BOLD, OUTPUT_DIM, OUTPUT_GREEN, OUTPUT_YELLOW,
	OUTPUT_RED, OUTPUT_COLOURS
};

struct output {
	struct buf b;			/* not yet printed */
	bool is_json;
	bool has_colour;
	bool has_progress;		/* standard error is a terminal */
	bool is_failed;			/* something could not be printed */
	size_t progress_width;		/* characters that stand there now */
};

/* Looks at the terminal and its environment. */
void output_init(struct output *o, bool is_json, bool has_no_colour);

/* Prints the rest; false when any of it could not be printed. */
bool output_end(struct output *o);

/* Prints what has gathered, once it is worth a write. */
void output_flush(struct output *o);

/* Foreign bytes, escaped; padded: filled up with blanks to WIDTH, before the
 * text when WIDTH is negative.  What is longer is not cut. */
void output_text(struct output *o, struct span s);
void output_padded(struct output *o, struct span s, int width);
void output_coloured(struct output *o, enum output_colour colour,
    const char *text, int width);

/* Our own words. */
void output_line(struct output *o, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A number; how long from SINCE to NOW, "2h13m"; a size, "12KiB". */
void output_number(struct output *o, uint64_t n, int width);
void output_age(struct output *o, uint64_t since, uint64_t now, int width);
void output_size(struct output *o, uint64_t bytes, int width);

/* "1 message", "3 messages" */
void output_count(struct output *o, uint64_t n, const char *noun);

/* A JSON time, RFC 3339; null for 0 and for never. */
void output_json_time(struct json *j, const char *key, uint64_t at);

/* A bar on standard error, if that is a terminal; the end wipes it. */
void output_progress(struct output *o, const char *what, uint64_t done,
    uint64_t total);
void output_progress_end(struct output *o);

#endif
