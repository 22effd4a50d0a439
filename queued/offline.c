/*
 * One verb on a spool at rest.  Its lock is taken where there is one, so
 * nobody writes it meanwhile; a copy of a spool has none, nor needs it.
 * Started by root it works as the user that the spool belongs to: what it reads
 * came from strangers.
 */
#include "queued/offline.h"

#include "common/os/creds.h"
#include "queued/keep/keep_out.h"
#include "queued/keep/keep_salvage.h"
#include "queued/offline_restore.h"
#include "queued/store/store_identity.h"
#include "queued/survey/survey.h"
#include "queued/survey/survey_manifest.h"
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
	const char *dir;		/* the verb's operand */
	const char *journal;		/* of `restore' */
	bool is_json, may_set_aside, does_release, wants_mail;
	struct copy_dir out;		/* DIR, of a verb that makes it */
};

struct offline_verb {
	const char *name;
	bool has_dir;
	const char *const *makes;	/* the folders of what DIR becomes */
	bool is_outside;		/* does not work in the spool */
	int (*run)(struct offline *o);
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

/* ---- the spool ---- */

/* Held until the process ends. */
static int
lock(const char *spool, int dir)
{
	int fd;

	return store_identity_lock_as_is(dir, &fd) ? EXIT_DONE :
	    fail(EXIT_FAILED, "%s: a running mtad has this spool; stop it "
	    "first", spool);
}

/* While we may still: the spool's owner may not be able to get there. */
static int
make_dir(struct offline *o, const char *const *folders,
    const struct stat *spool)
{
	struct why why = { .text = "" };

	if (copy_dir_open(o->dir, folders, SURVEY_MANIFEST_NEW, &o->out,
	    &why) != OK)
		return fail(EXIT_FAILED, "%s", why.text);
	if (geteuid() == 0 && copy_dir_give(&o->out, spool->st_uid,
	    spool->st_gid) != OK)
		return fail(EXIT_FAILED, "%s: %s", o->dir, strerror(errno));
	return EXIT_DONE;
}

/* The group of the user, not of the directory: mtad makes that as root. */
static struct creds_user
owner_of(uid_t uid, gid_t gid)
{
	struct creds_user owner;
	char number[16];

	(void)snprintf(number, sizeof(number), "%u", (unsigned)uid);
	if (creds_user(number, &owner) == OK)
		return owner;
	return (struct creds_user){ uid, gid };
}

/* Before the directory, where there is one to make: a spool that can't be had
 * leaves nothing behind. */
static int
enter_locked(struct offline *o, const char *const *makes, int dir)
{
	struct why why = { .text = "" };
	struct creds_user owner;
	struct stat st;
	int code = lock(o->spool, dir);

	if (code != EXIT_DONE)
		return code;
	if (fstat(dir, &st) != 0)
		return fail(EXIT_FAILED, "%s: %s", o->spool, strerror(errno));
	if (makes != NULL && (code = make_dir(o, makes, &st)) != EXIT_DONE)
		return code;
	if (fchdir(dir) != 0)
		return fail(EXIT_FAILED, "%s: %s", o->spool, strerror(errno));
	owner = owner_of(st.st_uid, st.st_gid);
	if (geteuid() == 0 && st.st_uid != 0 &&
	    creds_drop(&owner, &why) != OK)
		return fail(EXIT_FAILED, "%s", why.text);
	return EXIT_DONE;
}

/* The log is what a spool is, and what a copy of it has in any case. */
static int
look_for_log(const struct offline *o, int dir)
{
	if (faccessat(dir, "log", F_OK, 0) == 0)
		return EXIT_DONE;
	return fail(EXIT_FAILED, "%s: is neither a spool nor a backup: "
	    "log in it: %s\n"
	    "`mtactl config show` says where the spool is (queue.path)",
	    o->spool, strerror(errno));
}

/* It becomes the working directory while we may still go there: its owner may
 * not be allowed on the way to it.  It stays open, for it is the lock. */
static int
enter(struct offline *o, const char *const *makes)
{
	int dir = open(o->spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code;

	if (dir < 0)
		return fail(EXIT_FAILED, "%s: no spool and no backup: %s\n"
		    "`mtactl config show` says where the spool is "
		    "(queue.path)", o->spool, strerror(errno));
	code = look_for_log(o, dir);
	if (code == EXIT_DONE)
		code = enter_locked(o, makes, dir);
	if (code != EXIT_DONE)
		(void)close(dir);
	return code;
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
		(void)fprintf(stderr, "\r%3u %%\r",
		    total > 0 ? (unsigned)(done * 100 / total) : 0);
}

static struct survey_sink
sink_of(const struct offline *o)
{
	return (struct survey_sink){ .text = put_text,
	    .progress = put_progress, .is_json = o->is_json };
}

static int
check(struct offline *o)
{
	const struct survey_spool spool = { .path = "." };
	const struct survey_sink sink = sink_of(o);

	return (int)survey_check(&spool, &sink);
}

static int
seal(struct offline *o)
{
	const struct survey_spool spool = { .path = ".", .is_sealing = true };
	const struct survey_sink sink = sink_of(o);

	return (int)survey_check(&spool, &sink);
}

static int
backup(struct offline *o)
{
	const struct survey_sink sink = sink_of(o);

	return (int)keep_out(&o->out, false, &sink);
}

static int
salvage(struct offline *o)
{
	const struct survey_sink sink = sink_of(o);

	return (int)keep_salvage(&o->out, o->wants_mail, &sink);
}

static int
stats(struct offline *o)
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

static int
restore(struct offline *o)
{
	const struct survey_sink sink = sink_of(o);
	const struct offline_restore r = { .spool = o->spool, .dir = o->dir,
	    .journal = o->journal, .may_set_aside = o->may_set_aside,
	    .does_release = o->does_release, .sink = &sink,
	    .owner_of = owner_of };

	return offline_restore(&r);
}

static const struct offline_verb verbs[] = {
	{ "check", .run = check },
	{ "stats", .run = stats },
	{ "backup", .has_dir = true, .makes = keep_folders, .run = backup },
	{ "salvage", .has_dir = true, .makes = keep_salvage_folders,
	    .run = salvage },
	{ "seal", .run = seal },
	{ "restore", .has_dir = true, .is_outside = true, .run = restore },
};

/* ---- the command line ---- */

static int
usage(void)
{
	return fail(EXIT_USAGE, "usage: queued --spool PATH check|stats|seal|"
	    "backup DIR|salvage DIR|restore DIR [--json]\n"
	    "       of restore: [--set-aside] [--release] [--journal PATH]\n"
	    "       of salvage: [--mail]");
}

static bool
take_option(const char *word, struct offline *o)
{
	if (strcmp(word, "--json") == 0)
		o->is_json = true;
	else if (strcmp(word, "--set-aside") == 0)
		o->may_set_aside = true;
	else if (strcmp(word, "--release") == 0)
		o->does_release = true;
	else if (strcmp(word, "--mail") == 0)
		o->wants_mail = true;
	else
		return false;
	return true;
}

static bool
take_word(const char *word, struct offline *o)
{
	if (word[0] == '-' || o->dir != NULL)
		return false;
	if (o->verb == NULL)
		o->verb = word;
	else
		o->dir = word;
	return true;
}

static bool
parse(int argc, char **argv, struct offline *o)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--spool") == 0 && i + 1 < argc)
			o->spool = argv[++i];
		else if (strcmp(argv[i], "--journal") == 0 && i + 1 < argc)
			o->journal = argv[++i];
		else if (!take_option(argv[i], o) && !take_word(argv[i], o))
			return false;
	}
	return o->spool != NULL && o->verb != NULL;
}

static const struct offline_verb *
find(const struct offline *o)
{
	bool has_more = o->may_set_aside || o->does_release ||
	    o->journal != NULL;

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(o->verb, verbs[i].name) == 0 &&
		    (!has_more || verbs[i].is_outside) &&
		    (!o->wants_mail || verbs[i].run == salvage) &&
		    verbs[i].has_dir == (o->dir != NULL))
			return &verbs[i];
	return NULL;
}

int
offline_main(int argc, char **argv)
{
	struct offline o = { .out = { .dir_fd = -1, .list_fd = -1 } };
	const struct offline_verb *v;
	int code = EXIT_DONE;

	if (!parse(argc, argv, &o) || (v = find(&o)) == NULL)
		return usage();
	if (!v->is_outside)
		code = enter(&o, v->makes);
	if (code == EXIT_DONE)
		code = v->run(&o);
	copy_dir_close(&o.out);
	if (fflush(stdout) != 0 && code == EXIT_DONE)
		code = fail(EXIT_FAILED, "the answer could not be printed");
	return code;
}
