/*
 * The configuration file, looked at without asking anybody: by the same loader
 * that mtad uses, so that what is right here is right there.  Ports and users
 * are for `mtad -t`, which may need root.
 */
#include "common/confload/conf_check.h"
#include "common/confload/conf_dump.h"
#include "common/confload/conf_load.h"
#include "mtactl/conf_diff.h"
#include "mtactl/mtactl.h"

#define TEXT_MAX ((size_t)4 * 1024 * 1024)

/* Errors and warnings in one array; `severity` tells them apart. */
static void
json_remarks(struct json *j, const struct conf_report *report)
{
	json_key(j, "remarks");
	json_array(j);
	for (size_t i = 0; i < report->n; i++) {
		const struct conf_remark *r = &report->v[i];

		json_object(j);
		json_key(j, "severity");
		json_str(j, r->severity == CONF_ERROR ? "error" : "warning");
		json_key(j, "line");
		json_u64(j, r->place.line);
		json_key(j, "column");
		json_u64(j, r->place.column);
		json_key(j, "text");
		json_str(j, r->text);
		json_object_end(j);
	}
	json_array_end(j);
}

/* Remarks for people go to standard error, the verdict to standard output: a
 * script that looks at the latter sees one line. */
static void
print_verdict(struct output *o, const struct conf_report *report)
{
	struct json j;

	if (!o->is_json) {
		mtactl_print_report(report);
		if (report->n_errors == 0)
			output_line(o, "%s: no errors", report->path);
		return;
	}
	json_init(&j, &o->b);
	json_object(&j);
	json_key(&j, "v");
	json_u64(&j, 1);
	json_key(&j, "file");
	json_str(&j, report->path);
	json_key(&j, "errors");
	json_u64(&j, report->n_errors);
	json_key(&j, "warnings");
	json_u64(&j, report->n_warnings);
	json_remarks(&j, report);
	json_object_end(&j);
	buf_add_byte(&o->b, '\n');
}

/* Remarks about files only when the text itself is right: they come from its
 * values. */
int
cmd_config_check(struct mtactl *m)
{
	const char *path = m->args.operand_count > 0 ? m->args.operands[0] :
	    m->args.config;
	struct conf_report report;
	struct conf *conf = NULL;
	bool is_good;

	conf_report_init(&report, path);
	if (conf_load_file(path, &report, &conf) == OK)
		(void)conf_check_files(conf, &report);
	is_good = conf != NULL && report.n_errors == 0;
	print_verdict(&m->out, &report);
	conf_free(&conf);
	conf_report_clear(&report);
	return is_good ? MTACTL_DONE : MTACTL_FAILED;
}

/* For programs the YAML is one text in an object: there is no second form of
 * the configuration that would have to be kept up. */
static void
print_conf(struct output *o, const char *path, const struct conf *conf)
{
	struct buf yaml;
	struct json j;

	if (!o->is_json) {
		conf_dump(conf, 0, &o->b);
		return;
	}
	buf_init(&yaml, TEXT_MAX);
	conf_dump(conf, 0, &yaml);
	json_init(&j, &o->b);
	json_object(&j);
	json_key(&j, "v");
	json_u64(&j, 1);
	json_key(&j, "file");
	json_str(&j, path);
	json_key(&j, "yaml");
	json_string(&j, buf_span(&yaml));
	json_object_end(&j);
	/* a text that was cut must not pass for the whole */
	if (json_done(&j) != OK || buf_failed(&yaml))
		o->is_failed = true;
	buf_add_byte(&o->b, '\n');
	buf_clear(&yaml);
}

/* With all defaults filled in; what a file leaves out is what one wants to
 * see. */
int
cmd_config_show(struct mtactl *m)
{
	const char *path = m->args.config;
	struct conf_report report;
	struct conf *conf = NULL;
	bool is_good;

	conf_report_init(&report, path);
	is_good = conf_load_file(path, &report, &conf) == OK;
	if (is_good)
		print_conf(&m->out, path, conf);
	else
		mtactl_print_report(&report);
	conf_free(&conf);
	conf_report_clear(&report);
	return is_good ? MTACTL_DONE : MTACTL_FAILED;
}

/* NULL with words on standard error. */
static struct conf *
load(const char *path)
{
	struct conf_report report;
	struct conf *conf = NULL;

	conf_report_init(&report, path);
	if (conf_load_file(path, &report, &conf) != OK)
		mtactl_print_report(&report);
	conf_report_clear(&report);
	return conf;
}

/* From the file of --config to the other one, named as operand or by a second
 * --config. */
int
cmd_config_diff(struct mtactl *m)
{
	const char *path = m->args.operand_count > 0 ? m->args.operands[0] :
	    m->args.other_config;
	struct conf *before, *after = NULL;
	int code = MTACTL_FAILED;

	if (path == NULL)
		return mtactl_fail(MTACTL_USAGE, "`config diff` needs the "
		    "FILE that is to be compared with %s", m->args.config);
	before = load(m->args.config);
	if (before != NULL)
		after = load(path);
	if (after != NULL)
		code = conf_diff(&m->out, before, after) > 0 ?
		    MTACTL_DIFFERS : MTACTL_DONE;
	conf_free(&before);
	conf_free(&after);
	return code;
}
