/* The command line: options anywhere, verbs of one word and two, what was
 * probably meant. */
#include "common/base/check.h"
#include "mtactl/mtactl.h"

#include <criterion/criterion.h>

enum { WORDS_MAX = 24 };

/* Splits LINE at its blanks and parses it; ARGV must outlive the result. */
static enum err
parse(const char *line, char *text, char **argv, struct args *out,
    struct why *why)
{
	int argc = 0;

	strcpy(text, line);
	argv[argc++] = (char *)"mtactl";
	for (char *w = strtok(text, " "); w != NULL; w = strtok(NULL, " "))
		argv[argc++] = w;
	argv[argc] = NULL;
	return args_parse(argc, argv, out, why);
}

static const struct {
	const char *line;
	const char *verb;		/* NULL: none */
	const char *operands;		/* joined */
	const char *flags;		/* letters of the options that are set */
} accepted[] = {
	{ "status", "status", "", "" },
	{ "--json status", "status", "", "j" },
	{ "status --json --no-color", "status", "", "jC" },
	{ "-j status", "status", "", "j" },
	{ "queue list", "queue list", "", "" },
	{ "queue list all", "queue list", "all", "" },
	{ "queue --json list all", "queue list", "all", "j" },
	{ "queue list state:held or size>1M", "queue list",
	    "state:held or size>1M", "" },
	{ "queue delete all --yes", "queue delete", "all", "y" },
	{ "queue delete --yes --dry-run all", "queue delete", "all", "yn" },
	{ "queue -yn delete all", "queue delete", "all", "yn" },
	{ "queue list -- -x", "queue list", "-x", "" },
	{ "queue list -", "queue list", "-", "" },
	{ "queue list -l 5 all", "queue list", "all", "l" },
	{ "queue list --limit=18446744073709551615", "queue list", "", "l" },
	{ "-- status", "status", "", "" },
	{ "-c a.yaml status", "status", "", "c" },
	{ "-ca.yaml status", "status", "", "c" },
	{ "status --config a.yaml", "status", "", "c" },
	{ "status --config=a.yaml", "status", "", "c" },
	{ "-jc a.yaml status", "status", "", "jc" },
	{ "--socket=s status", "status", "", "s" },
	{ "message show 0000000000001", "message show", "0000000000001", "" },
	{ "config check", "config check", "", "" },
	{ "config check a.yaml", "config check", "a.yaml", "" },
	{ "dest list", "dest list", "", "" },
	{ "dest suspend *.example.net --for 2h --why=x", "dest suspend",
	    "*.example.net", "f" },
	{ "dest resume -n route:mx", "dest resume", "route:mx", "n" },
	{ "log level debug", "log level", "debug", "" },
	{ "route explain", "route explain", "", "" },
	{ "route explain a@b.example --from c@d.example", "route explain",
	    "a@b.example", "" },
	{ "route explain a@b.example --client 192.0.2.1 --user u --size 1M "
	    "--header X:y --header Z:w --all --requiretls --released", "route explain",
	    "a@b.example", "" },
	{ "-c a.yaml route diff --config b.yaml", "route diff", "", "c" },
	{ "-c b.yaml queue count -c a.yaml", "queue count", "", "c" },
	{ "config diff a.yaml", "config diff", "a.yaml", "" },
	{ "help", "help", "", "" },
	{ "help queue list", "help", "queue list", "" },
	{ "--help", NULL, "", "h" },
	{ "-hV", NULL, "", "hV" },
	{ "queue hold --help", "queue hold", "", "h" },
};

static void
check_flags(const struct args *a, const char *flags, const char *line)
{
	cr_expect_eq(a->is_json, strchr(flags, 'j') != NULL, "%s", line);
	cr_expect_eq(a->has_no_colour, strchr(flags, 'C') != NULL, "%s", line);
	cr_expect_eq(a->is_dry_run, strchr(flags, 'n') != NULL, "%s", line);
	cr_expect_eq(a->has_yes, strchr(flags, 'y') != NULL, "%s", line);
	cr_expect_eq(a->limit != 0, strchr(flags, 'l') != NULL, "%s", line);
	cr_expect_eq(a->for_ms, strchr(flags, 'f') != NULL ? 7200000u : 0u,
	    "%s", line);
	cr_expect_eq(a->why != NULL, strchr(flags, 'f') != NULL, "%s", line);
	cr_expect_eq(a->wants_help, strchr(flags, 'h') != NULL, "%s", line);
	cr_expect_eq(a->wants_version, strchr(flags, 'V') != NULL, "%s", line);
	cr_expect_str_eq(a->config, strchr(flags, 'c') != NULL ? "a.yaml" :
	    "/etc/mtad/mtad.yaml");
	cr_expect_eq(a->socket != NULL, strchr(flags, 's') != NULL);
}

Test(args, accepted)
{
	for (size_t i = 0; i < COUNT_OF(accepted); i++) {
		const char *line = accepted[i].line;
		char text[256], *argv[WORDS_MAX];
		struct why why = { "" };
		struct args a;
		struct buf joined;
		enum err e = parse(line, text, argv, &a, &why);

		cr_expect_eq(e, OK, "%s: %s", line, why.text);
		if (e != OK)
			continue;
		if (accepted[i].verb == NULL)
			cr_expect_null(a.verb, "%s", line);
		else
			cr_expect_str_eq(a.verb->name, accepted[i].verb);
		buf_init(&joined, 128);
		args_join(&a, 0, &joined);
		cr_expect(span_equal(buf_span(&joined),
		    span_str(accepted[i].operands)), "%s", line);
		buf_clear(&joined);
		check_flags(&a, accepted[i].flags, line);
	}
}

static const struct {
	const char *line;
	const char *says;
} refused[] = {
	{ "", "a verb is missing" },
	{ "--json", "a verb is missing" },
	{ "--jsn status", "unknown option '--jsn'; did you mean '--json'?" },
	{ "-x status", "unknown option '-x'" },
	{ "-jx status", "unknown option '-jx'" },
	{ "--json=1 status", "--json takes no value" },
	{ "status -c", "--config needs a FILE" },
	{ "status --config=", "--config needs a FILE" },
	{ "status --socket", "--socket needs a PATH" },
	{ "queue list --limit 0", "--limit needs a number above 0" },
	{ "queue list --limit x", "--limit needs a number above 0" },
	{ "queue list --limit=18446744073709551616",
	    "--limit needs a number above 0" },
	{ "queue count --limit 3", "--limit means nothing to `queue count`" },
	{ "dest suspend x --for 2",
	    "--for needs a time, such as 30m or 2h" },
	{ "dest suspend x --for 0s",
	    "--for needs a time, such as 30m or 2h" },
	{ "dest suspend x --for -2h",
	    "--for needs a time, such as 30m or 2h" },
	{ "dest suspend x --why", "--why needs a TEXT" },
	{ "dest resume x --for 2h", "--for means nothing to `dest resume`" },
	{ "dest list --why x", "--why means nothing to `dest list`" },
	{ "dest show", "`dest show` needs NAME" },
	{ "queue list -l", "--limit needs a NUMBER" },
	{ "spool check --set-aside", "--set-aside means nothing to "
	    "`spool check`" },
	{ "spool backup d --release", "--release means nothing to "
	    "`spool backup`" },
	{ "queue list --journal=x", "--journal means nothing to "
	    "`queue list`" },
	{ "spool restore d --journal", "--journal needs a PATH" },
	{ "spool restore", "`spool restore` needs DIR" },
	{ "staus", "unknown verb 'staus'; did you mean 'status'?" },
	{ "staus all", "unknown verb 'staus'; did you mean 'status'?" },
	{ "explain 1",
	    "unknown verb 'explain'; did you mean 'message explain' or "
	    "'route explain'?" },
	{ "history 1",
	    "unknown verb 'history'; did you mean 'message history'?" },
	{ "queue list --from a@b.example",
	    "--from means nothing to `queue list`" },
	{ "route diff --all", "--all means nothing to `route diff`" },
	{ "route explain a@b.example --header",
	    "--header needs a FIELD" },
	{ "queu list", "unknown verb 'queu'; did you mean 'queue list'?" },
	{ "queue lsit", "unknown verb 'queue lsit'; did you mean "
	    "'queue list'?" },
	{ "frobnicate", "unknown verb 'frobnicate'" },
	{ "top", "unknown verb 'top'" },
	{ "queue summary", "unknown verb 'queue summary'" },
	{ "queue", "which one? there are queue list, queue count, queue hold, "
	    "queue release, queue retry, queue delete" },
	{ "log", "which one? there are log level" },
	{ "status x", "`status` does not take 'x'" },
	{ "message show", "`message show` needs ID" },
	{ "message show a b", "`message show` does not take 'b'" },
	{ "queue hold", "`queue hold` needs SELECTION" },
	{ "queue delete --yes", "`queue delete` needs SELECTION" },
	{ "status --yes", "--yes means nothing to `status`" },
	{ "queue list -n", "--dry-run means nothing to `queue list`" },
};

Test(args, refused)
{
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		char text[256], *argv[WORDS_MAX];
		struct why why = { "" };
		struct args a = { .config = NULL };

		cr_expect_eq(parse(refused[i].line, text, argv, &a, &why),
		    ERR_SYNTAX, "%s", refused[i].line);
		cr_expect_str_eq(why.text, refused[i].says);
		cr_expect_null(a.config, "untouched on failure");
	}
}

/* Of two configurations the first leads to the socket. */
Test(args, two_configurations)
{
	char text[256], *argv[WORDS_MAX];
	struct why why = { "" };
	struct args a;

	cr_assert_eq(parse("-c a.yaml route explain x@y.example --config "
	    "b.yaml --header A:b --header C:d", text, argv, &a, &why), OK);
	cr_expect_str_eq(a.config, "a.yaml");
	cr_expect_str_eq(a.other_config, "b.yaml");
	cr_expect_eq(a.route.header_count, 2);
	cr_expect_str_eq(a.route.headers[1], "C:d");
	cr_assert_eq(parse("-c a.yaml status -c b.yaml", text, argv, &a,
	    &why), OK);
	cr_expect_str_eq(a.config, "b.yaml", "elsewhere the last one counts");
	cr_expect_null(a.other_config);
}

/* What has no end in the words must not have one in the message either. */
Test(args, long_words)
{
	static char word[5000];
	char *argv[] = { (char *)"mtactl", word, (char *)"list", NULL };
	struct why why;
	struct args a;

	memset(word, 'q', sizeof(word) - 1);
	cr_expect_eq(args_parse(3, argv, &a, &why), ERR_SYNTAX);
	cr_expect_lt(strlen(why.text), 100);
	memset(word, '-', 2);
	cr_expect_eq(args_parse(3, argv, &a, &why), ERR_SYNTAX);
	cr_expect_lt(strlen(why.text), 100);
}

static bool
mentions(const struct buf *b, const char *words)
{
	return memmem(b->p, b->n, words, strlen(words)) != NULL;
}

Test(verbs, help)
{
	char *words[] = { (char *)"queue", (char *)"delete", NULL };
	const struct verb *v;
	struct why why;
	struct buf b;
	int used;

	buf_init(&b, 65536);
	verbs_help(&b);
	cr_expect(mentions(&b, "\n  message show ID  "));
	cr_expect(mentions(&b, "-c, --config FILE"));
	cr_expect(mentions(&b, "state:deferred"));
	buf_reset(&b);
	cr_assert_eq(verbs_find(words, 2, &v, &used, &why), OK);
	cr_expect_eq(used, 2);
	verbs_help_one(v, &b);
	cr_expect(mentions(&b, "usage: mtactl queue delete SELECTION\n"));
	cr_expect(mentions(&b, "--yes"));
	cr_expect(mentions(&b, "state:deferred"));
	buf_reset(&b);
	words[0] = (char *)"status";
	cr_assert_eq(verbs_find(words, 2, &v, &used, &why), OK);
	cr_expect_eq(used, 1);
	verbs_help_one(v, &b);
	cr_expect_not(mentions(&b, "--yes"));
	cr_expect_not(mentions(&b, "state:deferred"));
	buf_clear(&b);
}
