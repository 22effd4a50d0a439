#include "mtactl/route_new.h"

#include "common/confload/conf_load.h"
#include "common/route/route_notes.h"

#include <stdlib.h>

struct route_new {
	struct conf *conf;
	struct route_table *table;
};

/* A file with mistakes would not be taken over: there is no what-if. */
int
route_new_open(const char *path, struct route_new **out)
{
	struct route_new *n = calloc(1, sizeof(*n));
	struct conf_report report;
	enum err e;

	if (n == NULL)
		return mtactl_fail(MTACTL_FAILED, "no memory");
	conf_report_init(&report, path);
	e = conf_load_file(path, &report, &n->conf);
	if (e != OK)
		mtactl_print_report(&report);
	else
		e = route_table_new(n->conf, &n->table);
	conf_report_clear(&report);
	if (e == OK) {
		*out = n;
		return MTACTL_DONE;
	}
	route_new_close(&n);
	return mtactl_fail(MTACTL_FAILED, "%s can't be used: %s", path,
	    e == ERR_NOMEM ? "no memory" : "it has errors");
}

void
route_new_close(struct route_new **n)
{
	if (*n == NULL)
		return;
	route_table_free(&(*n)->table);
	conf_free(&(*n)->conf);
	free(*n);
	*n = NULL;
}

const char *
route_new_file(const struct route_new *n)
{
	return n->conf->file;
}

void
route_new_notes(const struct route_new *n, struct span header,
    struct buf *out)
{
	route_notes(n->table, header, out);
}

void
route_new_find(const struct route_new *n, const struct route_facts *facts,
    bool requires_tls, uint32_t *number, uint32_t *line,
    struct buf *destination)
{
	struct route route = route_table_find(n->table, facts);
	bool is_rule = route.index < n->conf->routes.n;

	*number = is_rule ? route.index + 1 : 0;
	*line = is_rule ? n->conf->routes.v[route.index].line : 0;
	route_key(&route, facts->recipient, destination);
	if (requires_tls)
		route_key_require_tls(destination);
}
