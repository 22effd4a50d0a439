#include "mtad/refresh.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/os/fd.h"
#include "common/os/file.h"
#include "mtad/secrets_file.h"
#include "mtad/secrets_grants.h"

#define FILE_MAX	((size_t)64 * 1024)
#define FILE_MODE	0600

/* As the configuration has it, or NULL: it names no such file. */
static const char *
find_path(const struct conf *conf, struct span name)
{
	for (size_t i = 0; i < conf->routes.n; i++) {
		const char *path = conf->routes.v[i].auth_refresh_token_file;

		if (path[0] != '\0' && span_equal(span_str(path), name))
			return path;
	}
	return NULL;
}

/* One line of a file. */
static bool
is_line(struct span token)
{
	for (size_t i = 0; i < token.n; i++)
		if (!text_is_print(token.p[i]))
			return false;
	return token.n > 0;
}

/* What stands behind the first line is the administrator's. */
static enum err
put_content(const char *path, struct span token, struct buf *out)
{
	struct buf old;
	struct span rest;
	enum err e;

	buf_init(&old, FILE_MAX);
	e = secrets_file_read(path, FILE_MAX, true, &old, NULL);
	rest = span_from(buf_span(&old), span_find(buf_span(&old), '\n'));
	if (e == OK && buf_reserve(out, token.n + rest.n + 1) == NULL)
		e = ERR_NOMEM;
	if (e == OK) {
		buf_add_span(out, token);
		buf_add_span(out, rest);
		if (rest.n == 0)
			buf_add_byte(out, '\n');
	}
	secrets_file_wipe(&old);
	return e;
}

/* Where a link leads to, for that is what was read. */
static enum err
replace(const char *path, struct span content)
{
	char *real = realpath(path, NULL);
	char *slash = real == NULL ? NULL : strrchr(real, '/');
	enum err e;
	int dir;

	if (slash == NULL) {
		free(real);
		return ERR_NOT_FOUND;
	}
	*slash = '\0';
	dir = open(slash == real ? "/" : real,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	e = dir < 0 ? ERR_IO : file_replace(dir, slash + 1, FILE_MODE,
	    content);
	fd_close(&dir);
	free(real);
	return e;
}

static enum err
write_file(const char *path, struct span token)
{
	struct buf content;
	enum err e;

	buf_init(&content, FILE_MAX + 8192);
	e = put_content(path, token, &content);
	if (e == OK)
		e = replace(path, buf_span(&content));
	secrets_file_wipe(&content);
	return e;
}

static void
log_outcome(struct mtad *m, const char *path, enum err e)
{
	if (!log_begin(m->log, e == OK ? LOG_REFRESH_KEPT : LOG_REFRESH_LOST,
	    NULL))
		return;
	log_str(m->log, "path", path);
	if (e != OK)
		log_str(m->log, "why", err_text(e));
	log_end(m->log);
}

void
refresh_keep(struct mtad *m, const struct msg_refresh_keep *msg)
{
	const char *path = find_path(m->conf, msg->name);
	enum err e;

	if (path == NULL || !is_line(msg->refresh_token))
		return;
	e = write_file(path, msg->refresh_token);
	/* a keyd that is started again has it in any case, but without memory */
	if (secrets_grants_renew(&m->secrets, msg->name,
	    msg->refresh_token) != OK && e == OK)
		e = ERR_NOMEM;
	log_outcome(m, path, e);
}
