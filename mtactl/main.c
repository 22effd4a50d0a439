/*
 * mtactl: parse, do, print.  Everything that a verb prints gathers in one
 * buffer, so that there is one place where a full disk or a closed pipe is
 * noticed, and it becomes an exit code.
 */
#include "mtactl/mtactl.h"

/* Help and version win over a verb: whoever asks for them wants nothing
 * done. */
static int
run(struct mtactl *m)
{
	if (m->args.wants_help)
		return cmd_help(m);
	if (m->args.wants_version)
		return cmd_version(m);
	return m->args.verb->run(m);
}

int
main(int argc, char **argv)
{
	struct mtactl m;
	struct why why = { "" };
	int code;

	if (args_parse(argc, argv, &m.args, &why) != OK)
		return mtactl_fail(MTACTL_USAGE,
		    "%s\n`mtactl help` lists verbs and options", why.text);
	output_init(&m.out, m.args.is_json, m.args.has_no_colour);
	code = run(&m);
	if (!output_end(&m.out) && code == MTACTL_DONE)
		code = mtactl_fail(MTACTL_FAILED,
		    "the answer could not be printed");
	return code;
}
