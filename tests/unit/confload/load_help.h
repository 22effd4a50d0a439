/*
 * Loading a text in a test, and its report as people see it.
 */
#ifndef MTAD_TESTS_CONFLOAD_LOAD_HELP_H
#define MTAD_TESTS_CONFLOAD_LOAD_HELP_H

#include "common/conf/conf.h"
#include "common/confload/conf_report.h"

struct loaded {
	struct conf *conf;	/* NULL after an error */
	struct conf_report report;
	enum err e;
	char text[64 * 1024];	/* the printed report */
};

/* Loads TEXT as /etc/mtad/t.yaml would be. */
void load_help(struct loaded *l, const char *text);
void load_help_span(struct loaded *l, struct span bytes);
void load_help_free(struct loaded *l);

#endif
