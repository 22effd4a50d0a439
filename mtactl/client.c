/*
 * One question, one answer: messages of it as they come, and `ctl_end` as the
 * last.  mtactl has no loop and does nothing else meanwhile; ^C ends it, and
 * queued sees the connection close.
 */
#include "mtactl/client.h"

#include "common/base/mtime.h"
#include "common/ipc/call.h"
#include "mtactl/find.h"

#include <stdlib.h>

/* More than a Unix socket's address can hold: what is too long fails there,
 * with words. */
enum { PATH_SIZE = 4096 };

/* Between two messages of an answer: a walk over a very long queue that finds
 * nothing says nothing until its end. */
#define PATIENCE_MS	(10 * MTIME_MINUTE)

struct client {
	struct call *call;
	struct buf text;		/* of the answer's end */
};

/* ---- life ---- */

/* Whatever keeps us from connecting has one exit code: there is no mtad to
 * ask, or none for us. */
static int
connect_to(const char *path, struct client **out, struct why *why)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return mtactl_fail(MTACTL_FAILED, "no memory");
	buf_init(&c->text, (size_t)64 * 1024);
	if (call_open(path, ROLE_CTL, ROLE_QUEUED, &c->call, why) != OK) {
		client_close(&c);
		return MTACTL_UNREACHED;
	}
	*out = c;
	return MTACTL_DONE;
}

/* --socket spares the configuration, which mtactl's user may not be able to
 * read. */
int
client_try(const struct mtactl *m, struct client **out, struct why *why)
{
	struct buf path;
	int code;

	if (m->args.socket != NULL)
		return connect_to(m->args.socket, out, why);
	buf_init(&path, PATH_SIZE);
	code = find_socket(m->args.config, &path);
	if (code == MTACTL_DONE)
		code = connect_to((const char *)path.p, out, why);
	buf_clear(&path);
	return code;
}

int
client_open(const struct mtactl *m, struct client **out)
{
	struct why why = { "" };
	int code = client_try(m, out, &why);

	/* without words they were said already */
	if (code == MTACTL_UNREACHED && why.text[0] != '\0')
		(void)mtactl_fail(MTACTL_UNREACHED, "%s", why.text);
	return code;
}

void
client_close(struct client **c)
{
	if (*c == NULL)
		return;
	call_close(&(*c)->call);
	buf_clear(&(*c)->text);
	free(*c);
	*c = NULL;
}

/* ---- asking ---- */

int
client_take_fd(struct client *c)
{
	return call_take_fd(c->call);
}

/* Nothing that arrives can grow our memory: each message is dealt with and
 * forgotten. */
int
client_ask(struct client *c, const struct msg *request,
    client_on_msg *on_msg, void *ctx, struct msg_ctl_end *end)
{
	struct why why = { "" };
	struct msg m;
	enum err e = call_send(c->call, request, PATIENCE_MS, &why);

	while (e == OK) {
		e = call_next(c->call, PATIENCE_MS, &m, &why);
		if (e != OK)
			break;
		if (m.type == MSG_ctl_end) {
			*end = m.ctl_end;
			/* the frame is gone with the next call; a second
			 * question may follow */
			buf_reset(&c->text);
			buf_add_span(&c->text, m.ctl_end.text);
			end->text = buf_span(&c->text);
			return MTACTL_DONE;
		}
		if (on_msg != NULL)
			on_msg(ctx, &m);
	}
	return mtactl_fail(MTACTL_UNREACHED, "%s", why.text);
}

/* The words are queued's, about the operator's own request. */
int
client_result(const struct msg_ctl_end *end)
{
	int n = (int)end->text.n;
	const char *text = (const char *)end->text.p;

	while (n > 0 && text[n - 1] == '\n')
		n--;
	switch (end->result) {
	case CTL_DONE:
		return MTACTL_DONE;
	case CTL_BAD_SELECTION:
		return mtactl_fail(MTACTL_USAGE, "selection: %.*s", n, text);
	case CTL_AMBIGUOUS:
		return mtactl_fail(MTACTL_USAGE, "%.*s", n, text);
	case CTL_NO_SUCH_MESSAGE:
		return mtactl_fail(MTACTL_NO_MESSAGE, "%.*s", n, text);
	default:
		return mtactl_fail(MTACTL_FAILED, "%.*s", n, text);
	}
}
