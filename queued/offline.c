/*
 * One question about a spool at rest.  Its lock is taken where there is one,
 * so nobody writes it meanwhile; a copy of a spool has none, nor needs it.
 * Started by root it works as the user that the spool belongs to: what it reads
 * came from strangers.
 */
#include "queued/offline.h"

#include "common/os/creds.h"
#include "queued/survey/survey.h"
#include "queued/survey/survey_stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As mtactl's. */
enum { EXIT_DONE = 0, EXIT_USAGE = 2, EXIT_FAILED = 4 };

struct offline {
	const char *spool;
	const char *verb;
	bool is_json;
};

static int
fail(int code, const char *format, ...)
{
	va_list ap;

	(void)fflush(stdout);
	(void)fputs("queued: ", stderr);
	va_start(ap, format);
	(void)vfprintf(stderr, format, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	return code;
}

/* ---- the command line ---- */

static int
usage(void)
{
	return fail(EXIT_USAGE, "usage: queued --spool PATH check|stats "
	    "[--json]");
}

static bool
parse(int argc, char **argv, struct offline *o)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--spool") == 0 && i + 1 < argc)
			o->spool = argv[++i];
		else if (strcmp(argv[i], "--json") == 0)
			o->is_json = true;
		else if (argv[i][0] == '-' || o->verb != NULL)
			return false;
		else
			o->verb = argv[i];
	}
	return o->spool != NULL && o->verb != NULL;
}

/* ---- the spool ---- */

/* Held until the process ends.  The lock file is not made: it would be ours,
 * not queued's. */
static int
lock(const char *spool)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open("lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return EXIT_DONE;
	if (fcntl(fd, F_OFD_SETLK, &all) == 0)
		return EXIT_DONE;
	(void)close(fd);
	return fail(EXIT_FAILED, "%s: a running mtad has this spool", spool);
}

/* It becomes the working directory first, for its owner may not be allowed on
 * the way to it. */
static int
enter(const char *spool)
{
	struct why why = { .text = "" };
	struct creds_user owner;
	struct stat st;

	if (chdir(spool) != 0 || stat(".", &st) != 0)
		return fail(EXIT_FAILED, "%s: %s", spool, strerror(errno));
	owner = (struct creds_user){ st.st_uid, st.st_gid };
	if (geteuid() == 0 && st.st_uid != 0 &&
	    creds_drop(&owner, &why) != OK)
		return fail(EXIT_FAILED, "%s", why.text);
	return lock(spool);
}

/* ---- verbs ---- */

static void
put_text(void *ctx, struct span text)
{
	(void)ctx;
	(void)fwrite(text.p, 1, text.n, stdout);
}

static void
put_progress(void *ctx, uint64_t done, uint64_t total)
{
	(void)ctx;
	if (isatty(STDERR_FILENO))
		(void)fprintf(stderr, "\rchecking: %3u %%\r",
		    total > 0 ? (unsigned)(done * 100 / total) : 0);
}

static int
check(const struct offline *o)
{
	const struct survey_spool spool = { .path = "." };
	const struct survey_sink sink = { .text = put_text,
	    .progress = put_progress, .is_json = o->is_json };

	return (int)survey_check(&spool, &sink);
}

static int
stats(const struct offline *o)
{
	struct why why = { .text = "" };
	struct survey_stats s;
	struct buf out;

	if (survey_stats_at_rest(".", &s, &why) != OK)
		return fail(EXIT_FAILED, "%s", why.text);
	buf_init(&out, (size_t)64 << 20);
	survey_stats_print(&s, o->is_json, &out);
	put_text(NULL, buf_span(&out));
	buf_clear(&out);
	survey_stats_clear(&s);
	return EXIT_DONE;
}

static const struct {
	const char *name;
	int (*run)(const struct offline *o);
} verbs[] = {
	{ "check", check },
	{ "stats", stats },
};

int
offline_main(int argc, char **argv)
{
	struct offline o = { .spool = NULL };
	int code;

	if (!parse(argc, argv, &o))
		return usage();
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(o.verb, verbs[i].name) != 0)
			continue;
		if ((code = enter(o.spool)) == EXIT_DONE)
			code = verbs[i].run(&o);
		if (fflush(stdout) != 0 && code == EXIT_DONE)
			code = fail(EXIT_FAILED, "the answer could not be "
			    "printed");
		return code;
	}
	return usage();
}
