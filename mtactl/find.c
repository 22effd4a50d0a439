/*
 * From a configuration to a socket.  The loader is asked first.  When it
 * refuses the file, a relay that was started with an earlier version of it may
 * still be running, and its operator needs mtactl more than ever: then one
 * line of the file is read by hand.
 */
#include "mtactl/find.h"

#include "common/conf/conf.h"
#include "common/confload/conf_load.h"
#include "common/os/file.h"
#include "mtactl/mtactl.h"

#define DEFAULT_RUNTIME "/run/mtad"

/* ---- a file with errors ---- */

/* A CR is one: files from other systems have it at each line's end. */
static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Without blanks around it, a comment behind it, and quotes. */
static struct span
bare_value(struct span s)
{
	size_t end = 0;

	while (s.n > 0 && is_blank(s.p[0]))
		s = span_from(s, 1);
	if (s.n > 1 && (s.p[0] == '"' || s.p[0] == '\'')) {
		struct span inside = span_from(s, 1);

		return span_sub(inside, 0, span_find(inside, s.p[0]));
	}
	while (end < s.n && !(s.p[end] == '#' &&
	    (end == 0 || is_blank(s.p[end - 1]))))
		end++;
	while (end > 0 && is_blank(s.p[end - 1]))
		end--;
	return span_sub(s, 0, end);
}

struct span
find_runtime(struct span yaml)
{
	static const struct span key = { (const uint8_t *)"runtime:", 8 };
	struct span found = SPAN_NONE;

	while (yaml.n > 0) {
		size_t n = span_find(yaml, '\n');
		struct span line = span_sub(yaml, 0, n);

		if (span_equal(span_sub(line, 0, key.n), key))
			found = bare_value(span_from(line, key.n));
		yaml = span_from(yaml, n + 1);
	}
	return found;
}

/* A relative path is below the file's own folder. */
static void
put_runtime(const char *config, struct span runtime, struct buf *path)
{
	const char *slash = strrchr(config, '/');

	if (runtime.n == 0)
		runtime = SPAN_LIT(DEFAULT_RUNTIME);
	if (runtime.p[0] != '/' && slash != NULL)
		buf_add(path, config, (size_t)(slash - config) + 1);
	buf_add_span(path, runtime);
}

/* Says on standard error that it had to guess; that is not a failure. */
static int
from_broken(const char *config, struct buf *path)
{
	struct why why = { "" };
	struct buf bytes;
	int code = MTACTL_DONE;

	buf_init(&bytes, CONF_LOAD_MAX + 1);
	if (file_read(AT_FDCWD, config, CONF_LOAD_MAX, &bytes, &why) != OK) {
		code = mtactl_fail(MTACTL_UNREACHED, "%s; --socket PATH goes "
		    "without a configuration", why.text[0] != '\0' ?
		    why.text : config);
	} else {
		put_runtime(config, find_runtime(buf_span(&bytes)), path);
		(void)mtactl_fail(MTACTL_DONE, "%s has errors, which "
		    "`mtactl config check` shows", config);
	}
	buf_clear(&bytes);
	return code;
}

/* ---- any file ---- */

/* PATH is made with its NUL, so that it can be used as a string. */
int
find_socket(const char *config, struct buf *path)
{
	struct conf_report report;
	struct conf *conf = NULL;
	int code = MTACTL_DONE;

	conf_report_init(&report, config);
	if (conf_load_file(config, &report, &conf) == OK)
		buf_add_str(path, conf->runtime);
	else
		code = from_broken(config, path);
	conf_free(&conf);
	conf_report_clear(&report);
	if (code != MTACTL_DONE)
		return code;
	buf_add(path, "/control.sock", sizeof("/control.sock"));
	/* a NUL in the file's value would cut the path short */
	if (buf_failed(path) || strlen((const char *)path->p) + 1 < path->n)
		return mtactl_fail(MTACTL_UNREACHED,
		    "%s: `runtime` is no path", config);
	return MTACTL_DONE;
}
