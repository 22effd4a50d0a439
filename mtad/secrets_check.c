/*
 * keyd judges, for the parent understands no certificate: a process of its own
 * for the moment, with the secrets in one file in memory and its words in
 * another.
 */
#include "mtad/secrets.h"

#include "common/base/check.h"
#include "common/base/wire.h"
#include "common/conf/conf.h"
#include "common/ipc/messages.h"
#include "common/os/fd.h"
#include "common/os/file.h"
#include "common/os/spawn.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX	((size_t)16 * 1024)
#define SLACK		((size_t)16 * 1024)
#define BYTES_MAX	((size_t)32 * 1024 * 1024)

/* Each message's fields behind their length. */
static enum err
put_fields(const struct msg *m, struct buf *out)
{
	const size_t at = out->n;
	enum err e;

	wire_put_u32(out, 0);
	e = msg_encode(m, out);
	if (e == OK && !buf_failed(out))
		wire_patch_u32(out, at, (uint32_t)(out->n - at - 4));
	return e;
}

/* As keyd/check.h has it. */
static enum err
write_secrets(const struct secrets *s, const struct conf *conf, int fd)
{
	struct msg parts[4];
	struct buf bytes;
	enum err e = OK;

	secrets_pairs(s, &parts[0]);
	secrets_passwords(s, conf, &parts[1]);
	secrets_client_ca(s, conf, &parts[2]);
	secrets_hop_pairs(s, &parts[3]);
	buf_init(&bytes, BYTES_MAX);
	/* what moves to larger memory leaves a copy behind */
	if (buf_reserve(&bytes, s->pairs.n + s->passwords.n +
	    s->client_ca.n + s->hop_pairs.n + SLACK) == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < COUNT_OF(parts) && e == OK; i++)
		e = put_fields(&parts[i], &bytes);
	if (e == OK)
		e = file_pwrite_all(fd, bytes.p, bytes.n, 0);
	explicit_bzero(bytes.p, bytes.size);
	buf_clear(&bytes);
	return e;
}

/* Its end, or ours for it when it takes too long.  Not by SIGCHLD: at a start
 * there is no loop yet. */
static enum err
wait_for(pid_t pid)
{
	struct pollfd p = { .events = POLLIN };
	int status = 0;
	enum err e = OK;

	p.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (p.fd >= 0 && poll(&p, 1, SECRETS_CHECK_MS) == 0) {
		(void)kill(pid, SIGKILL);
		e = ERR_IO;
	}
	fd_close(&p.fd);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return ERR_IO;
	}
	if (e != OK || !WIFEXITED(status))
		return ERR_IO;
	return WEXITSTATUS(status) == 0 ? OK : ERR_DENIED;
}

static enum err
run(int program, int in, int out)
{
	const char *const argv[] = { "keyd", "--check", NULL };
	const struct spawn_fd fds[] = {
		{ in, STDIN_FILENO }, { out, STDOUT_FILENO },
	};
	const struct spawn s = {
		.program = program, .argv = argv, .fds = fds, .fd_count = 2,
	};
	pid_t pid = 0;
	enum err e = spawn_start(&s, &pid);

	if (pid == 0)
		return e;
	return e == OK ? wait_for(pid) : (wait_for(pid), e);
}

static enum err
ask(const struct secrets *s, const struct conf *conf, int program, int in,
    int out, struct buf *text)
{
	const size_t begin = text->n;
	enum err e = in >= 0 && out >= 0 ? write_secrets(s, conf, in) : ERR_IO;

	if (e == OK)
		e = run(program, in, out);
	/* it may not have come to its words */
	if (lseek(out, 0, SEEK_SET) == 0)
		(void)file_read_fd(out, TEXT_MAX, text);
	if (e != OK && text->n == begin)
		buf_addf(text, "keyd could not look at the secrets: %s\n",
		    e == ERR_DENIED ? "it failed" : err_text(e));
	return e;
}

enum err
secrets_check(const struct secrets *s, const struct conf *conf, int program,
    struct buf *text)
{
	int in, out;
	enum err e;

	if (s->pair_count == 0 && s->hop_pair_count == 0 &&
	    !s->has_passwords && conf->auth.client_ca[0] == '\0')
		return OK;
	in = memfd_create("secrets", MFD_CLOEXEC);
	out = memfd_create("words", MFD_CLOEXEC);
	e = ask(s, conf, program, in, out, text);
	fd_close(&in);
	fd_close(&out);
	return e;
}
