#include "sink.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/endpoint.h"
#include "common/loop/listener.h"
#include "common/loop/stream.h"
#include "common/os/sock.h"

struct guest {
	struct guest *next;
	struct sink *sink;
	struct stream *stream;
	bool is_data;
	unsigned mails;
	unsigned rcpts;
	char names[512];
	struct buf content;
};

static void
leave(struct guest *g)
{
	struct guest **at = &g->sink->guests;

	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	g->sink->open--;
	buf_clear(&g->content);
	free(g);
}

static void
hang_up(struct guest *g)
{
	stream_finish(&g->stream, 0, 1000);
	leave(g);
}

static void
say(struct guest *g, const char *text)
{
	stream_write(g->stream, span_str(text));
}

/* False when the guest is gone. */
static bool
end_data(struct guest *g)
{
	struct sink *s = g->sink;
	struct sink_mail *m;

	g->is_data = false;
	if (g->rcpts == 0) {
		buf_reset(&g->content);
		say(g, "554 5.5.1 nobody\r\n");
		return true;
	}
	MUST(s->n_mails < SINK_MAILS);
	m = &s->mails[s->n_mails++];
	(void)snprintf(m->rcpts, sizeof(m->rcpts), "%s", g->names);
	m->content = g->content;
	buf_init(&g->content, 1 << 26);
	g->mails++;
	g->rcpts = 0;
	g->names[0] = '\0';
	if (s->drops_final) {
		hang_up(g);
		return false;
	}
	if (!s->is_mute_final)
		say(g, "250 2.0.0 taken\r\n");
	return true;
}

static void
recipient(struct guest *g, const char *line)
{
	const struct sink *s = g->sink;
	size_t n = strlen(g->names);

	if (strstr(line, "<no") != NULL)
		say(g, "550 5.1.1 not here\r\n");
	else if (strstr(line, "<later") != NULL)
		say(g, "450 4.2.1 later\r\n");
	else if (s->rcpts_max != 0 && g->rcpts >= s->rcpts_max)
		say(g, "452 4.5.3 too many\r\n");
	else {
		g->rcpts++;
		(void)snprintf(g->names + n, sizeof(g->names) - n, "%s%s",
		    n > 0 ? " " : "", line + 8);
		say(g, "250 2.1.5 here\r\n");
	}
}

static bool
command(struct guest *g, const char *line)
{
	const struct sink *s = g->sink;

	if (strncmp(line, "EHLO", 4) == 0) {
		say(g, s->is_plain ? "250 sink\r\n" :
		    "250-sink\r\n250-8BITMIME\r\n250 PIPELINING\r\n");
	} else if (strncmp(line, "MAIL", 4) == 0) {
		if (s->mails_each != 0 && g->mails >= s->mails_each) {
			say(g, "421 4.7.0 enough\r\n");
			hang_up(g);
			return false;
		}
		g->rcpts = 0;
		g->names[0] = '\0';
		say(g, s->mail_reply != NULL ? s->mail_reply :
		    "250 2.1.0 ok\r\n");
	} else if (strncmp(line, "RCPT", 4) == 0) {
		recipient(g, line);
	} else if (strncmp(line, "DATA", 4) == 0) {
		g->is_data = g->rcpts > 0;
		say(g, g->is_data ? "354 go on\r\n" : "554 5.5.1 no\r\n");
	} else if (strncmp(line, "QUIT", 4) == 0) {
		g->sink->quits++;
		say(g, "221 bye\r\n");
		hang_up(g);
		return false;
	} else {
		say(g, "250 ok\r\n");
	}
	return true;
}

static bool
take_line(struct guest *g, struct span line)
{
	char text[1024];

	if (!g->is_data) {
		(void)span_copy(span_sub(line, 0, line.n - 2), text,
		    sizeof(text));
		return command(g, text);
	}
	if (span_equal(line, SPAN_LIT(".\r\n")))
		return end_data(g);
	buf_add_span(&g->content, line);
	return true;
}

static size_t
on_bytes(void *ctx, struct span bytes)
{
	struct guest *g = ctx;
	size_t at = 0;

	while (at < bytes.n) {
		struct span rest = span_from(bytes, at);
		size_t end = span_find(rest, '\n');

		if (end == rest.n)
			break;
		at += end + 1;
		if (!take_line(g, span_sub(rest, 0, end + 1)))
			return bytes.n;
	}
	return at;
}

static void
on_end(void *ctx, enum stream_end end, int error)
{
	struct guest *g = ctx;

	(void)end;
	(void)error;
	stream_close(&g->stream);
	leave(g);
}

static void
on_accept(void *ctx, int fd, const struct endpoint *peer)
{
	static const struct stream_ops ops = {
		.on_bytes = on_bytes, .on_end = on_end,
	};
	const struct stream_limits limits = { .in_max = 200000 };
	struct sink *s = ctx;
	struct guest *g = calloc(1, sizeof(*g));

	(void)peer;
	if (g == NULL)
		abort();
	g->sink = s;
	g->next = s->guests;
	s->guests = g;
	buf_init(&g->content, 1 << 26);
	if (stream_new(s->loop, fd, &limits, &ops, g, &g->stream) != OK)
		abort();
	s->connections++;
	s->open++;
	if (s->open > s->most_open)
		s->most_open = s->open;
	say(g, s->greeting);
}

void
sink_open(struct sink *s, struct loop *l)
{
	static const struct listener_ops ops = { on_accept, NULL };
	struct endpoint at = { { IPADDR_4, { 127, 0, 0, 1 } }, 0 };
	int fd;

	memset(s, 0, sizeof(*s));
	s->greeting = "220 sink\r\n";
	s->loop = l;
	if (sock_listen(&at, 100, &fd) != OK || sock_local(fd, &at) != OK ||
	    listener_new(l, fd, &ops, s, &s->listener) != OK)
		abort();
	s->port = at.port;
}

void
sink_close(struct sink *s)
{
	listener_close(&s->listener);
	while (s->guests != NULL) {
		struct guest *g = s->guests;

		stream_close(&g->stream);
		leave(g);
	}
	for (unsigned i = 0; i < s->n_mails; i++)
		buf_clear(&s->mails[i].content);
}
