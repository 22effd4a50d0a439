#include "queued/ctl_backup.h"

#include "common/os/file.h"
#include "queued/survey/survey_manifest.h"

#include <sys/stat.h>
#include <unistd.h>

static enum err
open_file(struct span name, int *fd, uint64_t *bytes)
{
	char path[SURVEY_FILE_NAME];
	struct stat st;
	enum err e;

	if (!survey_manifest_knows(name) ||
	    !span_copy(name, path, sizeof(path)))
		return ERR_SYNTAX;
	/* the spool is where we are */
	e = file_open_beneath(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0, fd);
	if (e != OK)
		return e;
	if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		(void)close(*fd);
		return ERR_IO;
	}
	*bytes = (uint64_t)st.st_size;
	return OK;
}

/* A body that is gone had no message at the moment of the backup: its client
 * gave up. */
void
ctl_backup_file(struct ctl_session *s, struct span name)
{
	struct msg m = { .type = MSG_ctl_file };
	int fd = -1;
	enum err e;

	if (!s->has_backup) {
		ctl_end(s, CTL_FAILED, 0, SPAN_LIT("there is no backup any "
		    "more: the disk needs the room of its files"));
		return;
	}
	e = open_file(name, &fd, &m.ctl_file.bytes);
	if (e == OK)
		e = channel_send_fd(s->channel, &m, fd);
	if (e == ERR_NOT_FOUND)
		ctl_end(s, CTL_NO_SUCH_MESSAGE, 0, SPAN_LIT("no such file"));
	else if (e != OK)
		ctl_end(s, CTL_FAILED, 0, span_str(err_text(e)));
	else
		ctl_end(s, CTL_DONE, 0, SPAN_NONE);
}
