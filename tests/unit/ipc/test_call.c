/* The blocking side of a channel, against a loop in another thread. */
#include "common/ipc/call.h"
#include "common/ipc/channel.h"
#include "common/os/fd.h"
#include "common/os/sock_unix.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct channel_id queued = { ROLE_QUEUED, 0, 88 };

struct server {
	const struct channel_ops *ops;
	struct loop *loop;
	struct channel *channel;
	int listener;
};

static void
serve_msg(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	struct msg row = { .type = MSG_ctl_progress };
	struct msg end = { .type = MSG_ctl_end };

	(void)ctx;
	(void)fd;
	cr_assert_eq(m->type, MSG_ctl_status);
	for (uint64_t i = 1; i <= 1000; i++) {
		row.ctl_progress.done = i;
		cr_assert_eq(channel_send(c, &row), OK);
	}
	end.ctl_end.count = 1000;
	end.ctl_end.text = SPAN_LIT("done");
	cr_assert_eq(channel_send(c, &end), OK);
}

static void
serve_close(void *ctx, struct channel *c, enum channel_end end,
    const char *why)
{
	struct server *s = ctx;

	(void)c;
	(void)end;
	(void)why;
	channel_close(&s->channel);
	loop_stop(s->loop);
}

static const struct channel_ops serve_ops = { serve_msg, serve_close };

/* The name comes back through a descriptor. */
static void
serve_file(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	struct msg answer = { .type = MSG_ctl_file };
	struct msg end = { .type = MSG_ctl_end };
	int ends[2];

	(void)ctx;
	(void)fd;
	cr_assert_eq(m->type, MSG_ctl_spool_file);
	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(write(ends[1], m->ctl_spool_file.name.p,
	    m->ctl_spool_file.name.n), (ssize_t)m->ctl_spool_file.name.n);
	close(ends[1]);
	answer.ctl_file.bytes = m->ctl_spool_file.name.n;
	cr_assert_eq(channel_send_fd(c, &answer, ends[0]), OK);
	cr_assert_eq(channel_send(c, &end), OK);
}

static const struct channel_ops file_ops = { serve_file, serve_close };

static void *
serve(void *arg)
{
	static const struct channel_id ctl = { .role = ROLE_CTL };
	struct server *s = arg;
	int fd = accept(s->listener, NULL, NULL);

	cr_assert_geq(fd, 0);
	cr_assert_eq(channel_new(s->loop, fd, &queued, &ctl, s->ops, s,
	    &s->channel), OK);
	loop_run(s->loop);
	return NULL;
}

Test(call, asks_and_waits)
{
	char path[64];
	struct server s = { .ops = &serve_ops };
	struct msg m = { .type = MSG_ctl_status };
	struct call *c;
	struct why why = { "" };
	pthread_t thread;
	uint64_t rows = 0;

	(void)snprintf(path, sizeof(path), "/tmp/mtad-call-%d.sock",
	    (int)getpid());
	cr_assert_eq(call_open(path, ROLE_CTL, ROLE_QUEUED, &c, &why),
	    ERR_NOT_FOUND);
	cr_assert_neq(strstr(why.text, path), NULL);
	cr_assert_eq(loop_new(&s.loop), OK);
	cr_assert_eq(sock_unix_listen(path, 0600, 5, &s.listener), OK);
	cr_assert_eq(fd_set_nonblock(s.listener, false), OK);
	cr_assert_eq(pthread_create(&thread, NULL, serve, &s), 0);
	cr_assert_eq(call_open(path, ROLE_CTL, ROLE_QUEUED, &c, &why), OK);
	cr_assert_eq(call_send(c, &m, 5000, &why), OK);
	while (call_next(c, 5000, &m, &why) == OK &&
	    m.type == MSG_ctl_progress)
		cr_assert_eq(m.ctl_progress.done, ++rows);
	cr_assert_eq(rows, 1000, "%s", why.text);
	cr_assert_eq(m.type, MSG_ctl_end);
	cr_assert(span_equal(m.ctl_end.text, SPAN_LIT("done")));
	cr_assert_eq(call_next(c, 20, &m, &why), ERR_AGAIN);
	call_close(&c);
	call_close(&c);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	close(s.listener);
	unlink(path);
	loop_free(&s.loop);
}

Test(call, takes_descriptors)
{
	static const char *const names[] = { "one", "two", "three" };
	char path[64], got[16];
	struct server s = { .ops = &file_ops };
	struct msg m = { .type = MSG_ctl_spool_file };
	struct call *c;
	struct why why = { "" };
	pthread_t thread;

	(void)snprintf(path, sizeof(path), "/tmp/mtad-call-fd-%d.sock",
	    (int)getpid());
	cr_assert_eq(loop_new(&s.loop), OK);
	cr_assert_eq(sock_unix_listen(path, 0600, 5, &s.listener), OK);
	cr_assert_eq(fd_set_nonblock(s.listener, false), OK);
	cr_assert_eq(pthread_create(&thread, NULL, serve, &s), 0);
	cr_assert_eq(call_open(path, ROLE_CTL, ROLE_QUEUED, &c, &why), OK);
	for (size_t i = 0; i < 3; i++) {
		int fd;

		m.type = MSG_ctl_spool_file;
		m.ctl_spool_file.name = span_str(names[i]);
		cr_assert_eq(call_send(c, &m, 5000, &why), OK);
		cr_assert_eq(call_next(c, 5000, &m, &why), OK, "%s",
		    why.text);
		cr_assert_eq(m.type, MSG_ctl_file);
		fd = i == 1 ? -1 : call_take_fd(c);
		/* one that is not taken is closed */
		if (i != 1) {
			cr_assert_eq(read(fd, got, sizeof(got)),
			    (ssize_t)strlen(names[i]));
			cr_assert_eq(memcmp(got, names[i],
			    strlen(names[i])), 0);
			close(fd);
			cr_assert_eq(call_take_fd(c), -1);
		}
		cr_assert_eq(call_next(c, 5000, &m, &why), OK);
		cr_assert_eq(m.type, MSG_ctl_end);
		cr_assert_eq(call_take_fd(c), -1);
	}
	call_close(&c);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	close(s.listener);
	unlink(path);
	loop_free(&s.loop);
}
