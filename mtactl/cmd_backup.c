/*
 * `spool backup`: queued lists the files of one moment and keeps them; each is
 * asked for and copied here, for queued can write nowhere but in its spool.
 * The connection is what keeps the files: when it ends, however that comes,
 * queued goes on as ever.  Then queued's program looks at the copy, and tells
 * it to be complete.
 */
#include "common/os/copy_dir.h"
#include "common/os/fd.h"
#include "mtactl/backup.h"
#include "mtactl/client.h"
#include "mtactl/off_line.h"

#include <unistd.h>

#define LIST_MAX ((size_t)256 << 20)

struct copying {
	struct mtactl *m;
	struct client *client;
	struct copy_dir dir;
	struct buf list;
	int fd;				/* of the file asked for */
	uint64_t done, total;		/* bytes */
};

/* ---- the list ---- */

static void
on_list(void *ctx, const struct msg *m)
{
	struct copying *c = ctx;

	if (m->type == MSG_ctl_text)
		buf_add_span(&c->list, m->ctl_text.text);
}

static int
ask_for_list(struct copying *c)
{
	struct msg request = { .type = MSG_ctl_spool };
	struct msg_ctl_end end;
	int code;

	request.ctl_spool.verb = CTL_SPOOL_BACKUP;
	code = client_ask(c->client, &request, on_list, c, &end);
	if (code == MTACTL_DONE)
		code = client_result(&end);
	if (code == MTACTL_DONE && buf_failed(&c->list))
		code = mtactl_fail(MTACTL_FAILED, "no memory for the list of "
		    "the spool's files");
	return code;
}

/* How much there will be to copy; a list that can't be read is refused before
 * anything is done. */
static int
add_up(struct copying *c)
{
	struct span rest = buf_span(&c->list);
	struct backup_line line;

	while (backup_next(&rest, &line))
		c->total += line.bytes;
	return rest.n == 0 ? MTACTL_DONE : mtactl_fail(MTACTL_FAILED,
	    "queued's list of the spool's files makes no sense");
}

/* ---- the files ---- */

static void
on_file(void *ctx, const struct msg *m)
{
	struct copying *c = ctx;

	if (m->type != MSG_ctl_file)
		return;
	fd_close(&c->fd);
	c->fd = client_take_fd(c->client);
}

/* One that is gone never had a message. */
static int
copy_one(struct copying *c, const struct backup_line *line)
{
	struct msg request = { .type = MSG_ctl_spool_file };
	struct msg_ctl_end end;
	struct why why = { "" };
	int code;

	request.ctl_spool_file.name = span_str(line->name);
	code = client_ask(c->client, &request, on_file, c, &end);
	if (code != MTACTL_DONE || end.result == CTL_NO_SUCH_MESSAGE)
		return code;
	if ((code = client_result(&end)) != MTACTL_DONE)
		return code;
	if (c->fd < 0)
		return mtactl_fail(MTACTL_FAILED, "queued sent no file");
	if (copy_dir_add(&c->dir, line->name, line->bytes, c->fd, NULL, NULL,
	    &why) != OK || copy_dir_note(&c->dir, line->text, &why) != OK)
		code = mtactl_fail(MTACTL_FAILED, "%s", why.text);
	fd_close(&c->fd);
	return code;
}

static int
copy_all(struct copying *c)
{
	struct span rest = buf_span(&c->list);
	struct backup_line line;
	struct why why = { "" };
	int code = MTACTL_DONE;

	while (code == MTACTL_DONE && backup_next(&rest, &line)) {
		if (line.is_file)
			code = copy_one(c, &line);
		else if (copy_dir_note(&c->dir, line.text, &why) != OK)
			code = mtactl_fail(MTACTL_FAILED, "%s", why.text);
		c->done += line.bytes;
		output_progress(&c->m->out, "copying", c->done, c->total);
	}
	if (code == MTACTL_DONE && copy_dir_sync(&c->dir, &why) != OK)
		code = mtactl_fail(MTACTL_FAILED, "%s", why.text);
	output_progress_end(&c->m->out);
	return code;
}

/* ---- the verb ---- */

/* What queued's program finds wrong then is what the zeros stand for. */
static int
take(struct copying *c, const char *path)
{
	static const char *const folders[] = { "log", "body", NULL };
	struct why why = { "" };
	int code = ask_for_list(c);

	if (code == MTACTL_DONE)
		code = add_up(c);
	if (code != MTACTL_DONE)
		return code;
	if (copy_dir_open(path, folders, "backup.incomplete", &c->dir,
	    &why) != OK)
		return mtactl_fail(MTACTL_FAILED, "%s", why.text);
	code = copy_all(c);
	if (code != MTACTL_DONE)
		(void)mtactl_fail(MTACTL_FAILED, "%s: this is no backup; "
		    "remove it", path);
	else if (c->dir.unreadable > 0)
		(void)mtactl_fail(MTACTL_DAMAGED, "%ju bytes of the spool "
		    "can't be read from its disk; zeros stand for them",
		    (uintmax_t)c->dir.unreadable);
	copy_dir_close(&c->dir);
	return code;
}

int
cmd_spool_backup(struct mtactl *m)
{
	const char *path = m->args.operands[0];
	const char *const seal[] = { "seal", NULL };
	const char *const words[] = { "backup", path, NULL };
	struct copying c = { .m = m, .fd = -1 };
	struct why why = { "" };
	int code = client_try(m, &c.client, &why);

	if (code == MTACTL_UNREACHED && m->args.socket == NULL)
		return off_line_spool(m, words);
	if (code != MTACTL_DONE)
		return why.text[0] == '\0' ? code : off_line_not(m, &why);
	buf_init(&c.list, LIST_MAX);
	code = take(&c, path);
	buf_clear(&c.list);
	client_close(&c.client);
	return code == MTACTL_DONE ? off_line_run(m, path, seal) : code;
}
