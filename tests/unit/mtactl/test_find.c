/* The control socket, by configurations that are right and by broken ones. */
#include "common/base/check.h"
#include "mtactl/find.h"
#include "mtactl/mtactl.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct {
	const char *yaml;
	const char *runtime;
} texts[] = {
	{ "", "" }, { "runtime", "" }, { "runtime:", "" }, { "runtime:\n", "" },
	{ "runtime: run", "run" }, { "runtime: run\n", "run" },
	{ "runtime:\trun \t\r\n", "run" }, { "runtime: # none\n", "" },
	{ "runtime: run # where\n", "run" }, { "runtime: a#b\n", "a#b" },
	{ "runtime: \"a #b\" # c\n", "a #b" }, { "runtime: 'a b'\n", "a b" },
	{ "runtime: \"a\n", "a" }, { "runtime: \"\n", "\"" },
	{ "x: 1\nruntime: /run/x\ny: 2\n", "/run/x" },
	{ "runtime: a\nruntime: b\n", "b" },
	{ " runtime: a\nxruntime: b\n#runtime: c\n", "" },
	{ "\n\n\nruntime: a", "a" },
};

Test(find, runtime_in_any_text)
{
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		size_t n = strlen(texts[i].yaml);
		char *copy = malloc(n + 1);
		struct span found;

		/* as long as the text, so that ASan sees a read past it */
		cr_assert_not_null(copy);
		memcpy(copy, texts[i].yaml, n);
		copy = realloc(copy, n > 0 ? n : 1);
		found = find_runtime(span_of(copy, n));
		cr_expect(span_equal(found, span_str(texts[i].runtime)),
		    "%zu: %.*s", i, (int)found.n, (const char *)found.p);
		free(copy);
	}
}

static char folder[] = "/tmp/mtactl-find-XXXXXX";

static void
expect_socket(const char *yaml, const char *below)
{
	char config[64], wanted[128];
	struct buf path;
	FILE *f;

	snprintf(config, sizeof(config), "%s/mtad.yaml", folder);
	snprintf(wanted, sizeof(wanted), "%s%s/control.sock",
	    below[0] == '/' ? "" : folder,
	    below[0] == '/' ? below :
	    below + 1);
	f = fopen(config, "w");
	cr_assert_not_null(f);
	fputs(yaml, f);
	fclose(f);
	buf_init(&path, 4096);
	cr_expect_eq(find_socket(config, &path), MTACTL_DONE, "%s", yaml);
	cr_expect_str_eq((const char *)path.p, wanted);
	cr_expect_eq(path.p[path.n - 1], '\0');
	buf_clear(&path);
	unlink(config);
}

Test(find, socket_of_a_file)
{
	cr_redirect_stderr();
	cr_assert_not_null(mkdtemp(folder));
	expect_socket("", "/run/mtad");
	expect_socket("hostname: a.example\nruntime: run\n", "./run");
	expect_socket("runtime: /x/run\n", "/x/run");
	/* with errors: an unknown key, no YAML at all */
	expect_socket("listner: 1\nruntime: run\n", "./run");
	expect_socket("listner: 1\n", "/run/mtad");
	expect_socket("}{\nruntime: \"run\"\n", "./run");
	rmdir(folder);
}

Test(find, no_file)
{
	struct buf path;

	cr_redirect_stderr();
	buf_init(&path, 4096);
	cr_expect_eq(find_socket("/nonexistent/mtad.yaml", &path),
	    MTACTL_UNREACHED);
	buf_clear(&path);
	cr_expect_eq(find_socket("/", &path), MTACTL_UNREACHED);
	buf_clear(&path);
	cr_expect_stderr_neq_str("");
}
