/*
 * A child for tests of the parent: it is whatever its name says (smtpd,
 * queued, deliverd, dnsd), and tells what it was handed.
 *
 * Its listeners speak a line protocol: `who` gives pid, index, workers, peers,
 * generation and host name; `crash` kills it; `lie` sends nonsense to queued;
 * queued's control socket also knows `processes` and `reload`.
 */
#include "common/base/check.h"
#include "common/conf/conf.h"
#include "common/loop/listener.h"
#include "common/loop/stream.h"
#include "common/os/fd.h"
#include "common/proc/proc.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DOORS_MAX	128
#define SEATS_MAX	16

struct fake;

struct seat {
	struct fake *fake;
	struct stream *stream;		/* NULL: free */
};

struct door {
	uint16_t index;
	char address[64];
	struct listener *listener;	/* NULL: free */
};

struct fake {
	struct proc *proc;
	unsigned peers;
	struct channel *queued;
	struct door doors[DOORS_MAX];
	struct seat seats[SEATS_MAX];
	struct stream *asker;		/* of a reload */
	char processes[8192];
	bool has_clients;
	bool has_names;
};

static void
say(struct stream *s, const char *format, ...)
{
	struct buf *out = stream_out(s);
	char text[9000];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	buf_add_str(out, text);
}

static void
who(struct fake *f, struct stream *s)
{
	say(s, "pid=%d index=%u workers=%u peers=%u generation=%u host=%s "
	    "clients=%d names=%d uid=%u\n", (int)getpid(),
	    proc_index(f->proc), proc_workers(f->proc), f->peers,
	    proc_generation(f->proc), proc_conf(f->proc)->hostname,
	    f->has_clients, f->has_names, (unsigned)getuid());
}

static void
ask_reload(struct fake *f, struct stream *s)
{
	const struct msg m = { .type = MSG_reload_ask, .reload_ask = { 7 } };

	f->asker = s;
	MUST(channel_send(proc_parent(f->proc), &m) == OK);
}

static void
obey(struct seat *seat, struct span line)
{
	struct fake *f = seat->fake;

	if (span_equal(line, SPAN_LIT("who")))
		who(f, seat->stream);
	else if (span_equal(line, SPAN_LIT("crash")))
		(void)raise(SIGKILL);
	else if (span_equal(line, SPAN_LIT("lie")))
		(void)!write(channel_fd(f->queued), "nonsense", 8);
	else if (span_equal(line, SPAN_LIT("processes")))
		say(seat->stream, "%s.\n", f->processes);
	else if (span_equal(line, SPAN_LIT("reload")))
		ask_reload(f, seat->stream);
}

static size_t
on_bytes(void *ctx, struct span bytes)
{
	struct seat *seat = ctx;
	size_t end = span_find(bytes, '\n');

	if (end == bytes.n)
		return 0;
	obey(seat, span_sub(bytes, 0, end));
	return end + 1;
}

static void
on_end(void *ctx, enum stream_end end, int error)
{
	struct seat *seat = ctx;

	(void)end;
	(void)error;
	if (seat->fake->asker == seat->stream)
		seat->fake->asker = NULL;
	stream_close(&seat->stream);
}

static void
on_accept(void *ctx, int fd, const struct endpoint *peer)
{
	static const struct stream_ops ops = {
		.on_bytes = on_bytes, .on_end = on_end,
	};
	static const struct stream_limits limits = { .in_max = 1024 };
	struct fake *f = ctx;

	(void)peer;
	for (size_t i = 0; i < SEATS_MAX; i++) {
		struct seat *seat = &f->seats[i];

		if (seat->stream != NULL)
			continue;
		seat->fake = f;
		MUST(stream_new(proc_loop(f->proc), fd, &limits, &ops, seat,
		    &seat->stream) == OK);
		return;
	}
	close(fd);
}

static void
on_listener(void *ctx, struct proc *p, const struct proc_listener *l, int fd)
{
	static const struct listener_ops ops = { on_accept, NULL };
	struct fake *f = ctx;

	for (size_t i = 0; i < DOORS_MAX; i++) {
		struct door *d = &f->doors[i];

		if (d->listener != NULL)
			continue;
		d->index = l->index;
		(void)span_copy(l->address, d->address, sizeof(d->address));
		MUST(listener_new(proc_loop(p), fd, &ops, f, &d->listener) ==
		    OK);
		return;
	}
	MUST(false);
}

static void
on_listener_gone(void *ctx, struct proc *p, const struct proc_listener *l)
{
	struct fake *f = ctx;

	(void)p;
	for (size_t i = 0; i < DOORS_MAX; i++) {
		struct door *d = &f->doors[i];

		if (d->listener != NULL && d->index == l->index &&
		    span_equal(l->address, span_str(d->address)))
			listener_close(&d->listener);
	}
}

/* The host name tells who shall not begin. */
static enum err
on_start(void *ctx, struct proc *p, struct why *why)
{
	struct fake *f = ctx;
	const char *name = ipc_role_name(proc_role(p));

	f->proc = p;
	if (strncmp(proc_conf(p)->hostname, "fail-", 5) == 0 &&
	    strncmp(proc_conf(p)->hostname + 5, name, strlen(name)) == 0)
		return why_set(why, ERR_IO, "told to fail");
	return OK;
}

static void
on_peer(void *ctx, struct proc *p, struct channel *c)
{
	struct fake *f = ctx;

	(void)p;
	f->peers++;
	if (channel_peer(c)->role == ROLE_QUEUED)
		f->queued = c;
}

static void
on_peer_gone(void *ctx, struct proc *p, struct channel *c)
{
	struct fake *f = ctx;

	(void)p;
	f->peers--;
	if (f->queued == c)
		f->queued = NULL;
}

static void
keep_processes(struct fake *f, const struct msg *m)
{
	struct msg_list rows = m->processes.rows;
	struct msg_process row;
	size_t n = 0;

	while (msg_next_process(&rows, &row) && n + 100 < sizeof(f->processes))
		n += (size_t)snprintf(f->processes + n, 100, "%s %u %u %u\n",
		    ipc_role_name(row.role), row.index, row.pid,
		    row.restarts);
}

static void
on_msg(void *ctx, struct proc *p, const struct msg *m, int fd)
{
	struct fake *f = ctx;

	(void)p;
	switch (m->type) {
	case MSG_client_table:
		f->has_clients = fd >= 0;
		break;
	case MSG_names:
		f->has_names = m->names.hosts.n > 0;
		break;
	case MSG_processes:
		keep_processes(f, m);
		break;
	case MSG_reload_done:
		if (f->asker != NULL)
			say(f->asker, "%u %.*s.\n", m->reload_done.is_done,
			    (int)m->reload_done.text.n,
			    (const char *)m->reload_done.text.p);
		break;
	default:
		break;
	}
	fd_close(&fd);
}

static void
on_drain(void *ctx, struct proc *p, int64_t grace_ms)
{
	(void)ctx;
	(void)grace_ms;
	proc_drained(p);
}

static void
on_stop(void *ctx, struct proc *p)
{
	struct fake *f = ctx;

	(void)p;
	for (size_t i = 0; i < DOORS_MAX; i++)
		listener_close(&f->doors[i].listener);
	for (size_t i = 0; i < SEATS_MAX; i++)
		stream_close(&f->seats[i].stream);
}

int
main(int argc, char **argv)
{
	static struct fake fake;
	struct proc_ops ops = {
		.on_start = on_start, .on_listener = on_listener,
		.on_listener_gone = on_listener_gone, .on_peer = on_peer,
		.on_peer_gone = on_peer_gone, .on_msg = on_msg,
		.on_drain = on_drain, .on_stop = on_stop,
	};

	for (unsigned role = 0; role < ROLE_COUNT; role++) {
		if (strcmp(argv[0], ipc_role_name(role)) == 0)
			ops.role = role;
	}
	return proc_main(argc, argv, &ops, &fake);
}
