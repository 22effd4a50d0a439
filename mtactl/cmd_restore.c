/*
 * `spool restore` and `salvage`: always off line, by queued's program, on the
 * spool that the configuration names.
 */
#include "mtactl/off_line.h"

int
cmd_spool_restore(struct mtactl *m)
{
	const char *words[8] = { "restore", m->args.operands[0] };
	size_t n = 2;

	if (m->args.does_set_aside)
		words[n++] = "--set-aside";
	if (m->args.does_release)
		words[n++] = "--release";
	if (m->args.journal != NULL) {
		words[n++] = "--journal";
		words[n++] = m->args.journal;
	}
	return off_line_spool(m, words);
}

int
cmd_spool_salvage(struct mtactl *m)
{
	const char *const words[] = { "salvage", m->args.operands[0],
	    m->args.wants_mail ? "--mail" : NULL, NULL };

	return off_line_spool(m, words);
}
