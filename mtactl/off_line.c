/*
 * The program is found beside this one.
 */
#include "mtactl/off_line.h"

#include "common/conf/conf.h"
#include "common/confload/conf_load.h"
#include "common/confload/conf_report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, ARGS_MAX = 16 };

/* "…/queued" beside "…/mtactl". */
static bool
find_queued(char out[PATH_SIZE])
{
	static const char name[] = "queued";
	ssize_t n = readlink("/proc/self/exe", out, PATH_SIZE - 1);

	while (n > 0 && out[n - 1] != '/')
		n--;
	if (n <= 0 || (size_t)n + sizeof(name) > PATH_SIZE)
		return false;
	memcpy(out + n, name, sizeof(name));
	return access(out, X_OK) == 0;
}

/* A wrong configuration may name a wrong spool: then nothing is done. */
static int
find_spool(const struct mtactl *m, struct conf **conf)
{
	struct conf_report report;
	int code = MTACTL_DONE;

	conf_report_init(&report, m->args.config);
	if (conf_load_file(m->args.config, &report, conf) != OK) {
		mtactl_print_report(&report);
		code = mtactl_fail(MTACTL_UNREACHED, "no mtad answers, and "
		    "without the configuration there is no telling where its "
		    "spool is");
	}
	conf_report_clear(&report);
	return code;
}

/* Comes back only when it fails. */
int
off_line_run(struct mtactl *m, const char *spool, const char *const *words)
{
	char program[PATH_SIZE], *args[ARGS_MAX];
	size_t n = 0;

	if (!find_queued(program))
		return mtactl_fail(MTACTL_FAILED, "the program queued is not "
		    "beside mtactl");
	args[n++] = program;
	args[n++] = (char *)(uintptr_t)"--spool";
	args[n++] = (char *)(uintptr_t)spool;
	while (*words != NULL && n + 2 < ARGS_MAX)
		args[n++] = (char *)(uintptr_t)*words++;
	if (m->out.is_json)
		args[n++] = (char *)(uintptr_t)"--json";
	args[n] = NULL;
	(void)fflush(stdout);
	(void)execv(program, args);
	return mtactl_fail(MTACTL_FAILED, "%s: %s", program, strerror(errno));
}

int
off_line_not(const struct mtactl *m, const struct why *why)
{
	return mtactl_fail(MTACTL_UNREACHED, "%s%s", why->text,
	    m->args.socket != NULL ? "\nwithout --socket the spool of the "
	    "configuration is looked at, as it lies there" : "");
}

int
off_line_spool(struct mtactl *m, const char *const *words)
{
	struct conf *conf = NULL;
	int code = find_spool(m, &conf);

	if (code == MTACTL_DONE)
		code = off_line_run(m, conf->queue.path, words);
	conf_free(&conf);
	return code;
}
