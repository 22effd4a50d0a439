/*
 * What the loader has to say to a person: errors and warnings with their
 * place in the file, the line itself and a caret below it.
 *
 * At most CONF_REPORT_MAX entries are kept, one more says that there are
 * others; the counters go on.  Texts are cut, never lost without a sign.
 */
#ifndef MTAD_CONFLOAD_CONF_REPORT_H
#define MTAD_CONFLOAD_CONF_REPORT_H

#include "common/base/buf.h"

#define CONF_REPORT_MAX 100
#define CONF_REPORT_WARNINGS_MAX 20	/* of those, so that errors have room */

enum conf_severity { CONF_WARNING, CONF_ERROR };

struct conf_place {
	uint32_t line;		/* from 1; 0: no place, the file as a whole */
	uint32_t column;	/* from 1, in characters */
};

struct conf_remark {
	enum conf_severity severity;
	struct conf_place place;
	char text[320];
	char source[160];	/* the line, cut around the place; or "" */
	uint32_t caret;		/* column in source, from 0 */
};

struct conf_report {
	char path[1024];	/* as the person named the file */
	struct span bytes;	/* borrowed while loading */
	struct conf_remark *v;
	size_t n;
	size_t n_errors;	/* also those that were not kept */
	size_t n_warnings;
	bool has_keys;		/* the file says something: it is not empty */
};

void conf_report_init(struct conf_report *report, const char *path);
void conf_report_clear(struct conf_report *report);

/* Adds a remark; a missing memory makes it count, without a text. */
void conf_report_add(struct conf_report *report, enum conf_severity severity,
    struct conf_place place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

bool conf_report_is_full(const struct conf_report *report);

/* Appends everything as people read it, in the order of the file:
 *
 *	/etc/mtad/mtad.yaml:12:3: unknown key 'listner'; did you mean …?
 *	  listner:
 *	  ^
 */
void conf_report_print(const struct conf_report *report, bool has_colour,
    struct buf *out);

#endif
