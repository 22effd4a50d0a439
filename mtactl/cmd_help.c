/*
 * What is printed comes from verbs.def, as do the checks of the command
 * line.
 */
#include "mtactl/mtactl.h"
#include "mtad_version.h"

int
cmd_help(struct mtactl *m)
{
	const struct args *args = &m->args;
	const struct verb *v = args->verb;
	struct why why;
	int used;

	/* `mtactl --help`, `mtactl help`, `mtactl help queue list` */
	if (v == NULL || (v->run == cmd_help && args->operand_count == 0)) {
		verbs_help(&m->out.b);
		return MTACTL_DONE;
	}
	/* the words behind `help` are looked up as if they were the command */
	if (v->run == cmd_help && verbs_find(args->operands,
	    args->operand_count, &v, &used, &why) != OK)
		return mtactl_fail(MTACTL_USAGE, "%s", why.text);
	verbs_help_one(v, &m->out.b);
	return MTACTL_DONE;
}

/* Of this program; `mtactl status` has that of the mtad that runs. */
int
cmd_version(struct mtactl *m)
{
	struct json j;

	if (!m->out.is_json) {
		output_line(&m->out, "mtactl %s", MTAD_VERSION);
		return MTACTL_DONE;
	}
	json_init(&j, &m->out.b);
	json_object(&j);
	json_key(&j, "v");
	json_u64(&j, 1);
	json_key(&j, "version");
	json_str(&j, MTAD_VERSION);
	json_object_end(&j);
	buf_add_byte(&m->out.b, '\n');
	return MTACTL_DONE;
}
