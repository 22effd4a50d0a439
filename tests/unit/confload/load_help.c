#include "tests/unit/confload/load_help.h"

#include <stdio.h>

#include "common/confload/conf_load.h"

void
load_help_span(struct loaded *l, struct span bytes)
{
	struct buf text;

	l->conf = NULL;
	conf_report_init(&l->report, "t.yaml");
	l->e = conf_load(bytes, "/etc/mtad", &l->report, &l->conf);
	buf_init(&text, sizeof(l->text) - 1);
	conf_report_print(&l->report, false, &text);
	snprintf(l->text, sizeof(l->text), "%.*s", (int)text.n,
	    text.p != NULL ? (const char *)text.p : "");
	buf_clear(&text);
}

void
load_help(struct loaded *l, const char *text)
{
	load_help_span(l, span_str(text));
}

void
load_help_free(struct loaded *l)
{
	conf_free(&l->conf);
	conf_report_clear(&l->report);
}
