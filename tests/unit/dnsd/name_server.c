#include "name_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/loop/watch.h"

struct name_server {
	struct loop *loop;
	int udp;
	int tcp;
	struct watch *udp_watch;
	struct watch *tcp_watch;
	char address[64];
	unsigned count;
	unsigned tcp_count;
	bool saw_ad;
	bool has_no_ad;
};

static void
put16(struct buf *b, unsigned v)
{
	buf_add_byte(b, (uint8_t)(v >> 8));
	buf_add_byte(b, (uint8_t)v);
}

static void
put_name(struct buf *b, const char *name)
{
	while (*name != '\0') {
		size_t n = strcspn(name, ".");

		buf_add_byte(b, (uint8_t)n);
		buf_add(b, name, n);
		name += n;
		if (*name == '.')
			name++;
	}
	buf_add_byte(b, 0);
}

/* A record of the name at the question, or of NAME. */
static void
put_record(struct buf *b, const char *name, unsigned type, const void *data,
    size_t n)
{
	if (name == NULL)
		put16(b, 0xc00c);
	else
		put_name(b, name);
	put16(b, type);
	put16(b, 1);
	put16(b, 0);
	put16(b, 300);
	put16(b, (unsigned)n);
	buf_add(b, data, n);
	b->p[7]++;
}

static void
put_mx(struct buf *b, unsigned preference, const char *host)
{
	struct buf data;

	buf_init(&data, 300);
	put16(&data, preference);
	put_name(&data, host);
	put_record(b, NULL, 15, data.p, data.n);
	buf_clear(&data);
}

static void
put_data(struct buf *b, const char *owner, unsigned type)
{
	static const uint8_t v4[4] = { 192, 0, 2, 1 };
	static const uint8_t v6[16] = { 0x20, 1, 0x0d, 0xb8, [15] = 1 };

	if (type == 1)
		put_record(b, owner, 1, v4, 4);
	else if (type == 28)
		put_record(b, owner, 28, v6, 16);
	else if (type == 15) {
		put_mx(b, 10, "mx.test");
		put_mx(b, 5, "b.test");
	}
}

/* Alike octets, so that it shows when some are left out. */
static void
put_tlsa(struct buf *b, const char *fields, size_t n)
{
	uint8_t *data = malloc(3 + n);

	memcpy(data, fields, 3);
	memset(data + 3, 'd', n);
	put_record(b, NULL, 52, data, 3 + n);
	free(data);
}

static void
put_tlsas(struct buf *b, bool is_long)
{
	put_tlsa(b, "\3\1\1", 32);
	if (is_long)
		put_tlsa(b, "\3\0\0", 20000);
	else
		put_tlsa(b, "\2\0\0", 9000);
}

static void
put_alias(struct buf *b, unsigned type)
{
	struct buf data;

	buf_init(&data, 300);
	put_name(&data, "a.test");
	put_record(b, NULL, 5, data.p, data.n);
	buf_clear(&data);
	put_data(b, "a.test", type);
}

static void
put_soa(struct buf *b)
{
	struct buf data;

	buf_init(&data, 300);
	put_name(&data, "ns.test");
	put_name(&data, "admin.test");
	for (int i = 0; i < 5; i++) {
		put16(&data, 0);
		put16(&data, 60);
	}
	put_record(b, "test", 6, data.p, data.n);
	buf_clear(&data);
	b->p[7]--;
	b->p[9]++;
}

/* The first label as text; *AT moves behind the name. */
static void
read_question(const uint8_t *p, size_t n, char label[64], size_t *at)
{
	size_t length = n > 12 ? p[12] : 0;

	if (length > 63 || 13 + length > n)
		length = 0;
	memcpy(label, p + 13, length);
	label[length] = '\0';
	*at = 12;
	while (*at < n && p[*at] != 0)
		*at += p[*at] + 1u;
	*at += 1;
}

static bool
is(const char *label, const char *want)
{
	return strncmp(label, want, strlen(want)) == 0 &&
	    (label[strlen(want)] == '\0' || label[strlen(want)] == '-');
}

/* False when nothing is to be said. */
static bool
answer(struct name_server *s, const uint8_t *p, size_t n, bool is_tcp,
    struct buf *b)
{
	char label[64];
	size_t at;
	unsigned type;

	read_question(p, n, label, &at);
	if (at + 4 > n || is(label, "drop"))
		return false;
	if (is(label, "junk")) {
		buf_add(b, p, 2);
		buf_add_str(b, "\x81\x80 this is no DNS packet at all");
		return true;
	}
	s->saw_ad = s->saw_ad || (p[3] & 0x20) != 0;
	type = (unsigned)p[at] << 8 | p[at + 1];
	buf_add(b, p, at + 4);
	b->p[2] = 0x81;
	b->p[3] = s->has_no_ad ? 0x80 : 0xa0;
	memset(b->p + 6, 0, 6);
	if (is(label, "nx") || is(label, "none")) {
		b->p[3] |= is(label, "nx") ? 3 : 0;
		put_soa(b);
	} else if (is(label, "fail"))
		b->p[3] |= 2;
	else if (is(label, "no"))
		b->p[3] |= 5;
	else if (is(label, "other"))
		b->p[13] ^= 1;
	else if (is(label, "evil"))
		put_record(b, NULL, type, "\0", 1);
	else if (is(label, "alias"))
		put_alias(b, type);
	else if ((is(label, "tc") || label[0] == '_') && !is_tcp)
		b->p[2] |= 2;
	else if (is(label, "tc"))
		for (int i = 0; i < 20; i++)
			put_data(b, NULL, type);
	else if (label[0] == '_')
		put_tlsas(b, is(label, "_26"));
	else
		put_data(b, NULL, type);
	return true;
}

static void
on_udp(void *ctx, unsigned events)
{
	struct name_server *s = ctx;
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	uint8_t in[4096];
	struct buf out;
	ssize_t n;

	(void)events;
	n = recvfrom(s->udp, in, sizeof(in), MSG_DONTWAIT,
	    (struct sockaddr *)&from, &size);
	if (n < 12)
		return;
	s->count++;
	buf_init(&out, 65536);
	if (answer(s, in, (size_t)n, false, &out))
		(void)sendto(s->udp, out.p, out.n, 0,
		    (const struct sockaddr *)&from, size);
	buf_clear(&out);
}

/* One question a connection; it is small and comes at once. */
static void
on_tcp(void *ctx, unsigned events)
{
	struct name_server *s = ctx;
	struct timeval limit = { .tv_sec = 2 };
	uint8_t in[4096];
	struct buf out;
	ssize_t n;
	int fd = accept(s->tcp, NULL, NULL);

	(void)events;
	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	n = recv(fd, in, sizeof(in), 0);
	buf_init(&out, 65536);
	if (n > 14) {
		struct buf whole;

		s->tcp_count++;
		buf_init(&whole, 65536);
		if (answer(s, in + 2, (size_t)n - 2, true, &out)) {
			put16(&whole, (unsigned)out.n);
			buf_add(&whole, out.p, out.n);
			(void)send(fd, whole.p, whole.n, MSG_NOSIGNAL);
		}
		buf_clear(&whole);
	}
	buf_clear(&out);
	/* the asker closes when it likes */
	(void)shutdown(fd, SHUT_WR);
	(void)close(fd);
}

static int
bound(int type, in_port_t port)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET, .sin_port = port,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int on = 1;
	int fd = socket(AF_INET, type, 0);

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) != 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static void
open_sockets(struct name_server *s)
{
	struct sockaddr_in sa;
	socklen_t size = sizeof(sa);

	for (int i = 0; i < 100; i++) {
		s->udp = bound(SOCK_DGRAM, 0);
		if (s->udp < 0 || getsockname(s->udp, (struct sockaddr *)&sa,
		    &size) != 0)
			abort();
		s->tcp = bound(SOCK_STREAM, sa.sin_port);
		if (s->tcp >= 0 && listen(s->tcp, 10) == 0)
			break;
		(void)close(s->udp);
	}
	if (s->tcp < 0)
		abort();
	(void)snprintf(s->address, sizeof(s->address), "127.0.0.1:%u",
	    ntohs(sa.sin_port));
}

struct name_server *
name_server_new(struct loop *l)
{
	struct name_server *s = calloc(1, sizeof(*s));

	if (s == NULL)
		abort();
	s->loop = l;
	open_sockets(s);
	if (watch_new(l, s->udp, on_udp, s, &s->udp_watch) != OK ||
	    watch_new(l, s->tcp, on_tcp, s, &s->tcp_watch) != OK)
		abort();
	watch_set(s->udp_watch, WATCH_READ);
	watch_set(s->tcp_watch, WATCH_READ);
	return s;
}

void
name_server_free(struct name_server **s)
{
	watch_free(&(*s)->udp_watch);
	watch_free(&(*s)->tcp_watch);
	(void)close((*s)->udp);
	(void)close((*s)->tcp);
	free(*s);
	*s = NULL;
}

const char *
name_server_address(const struct name_server *s)
{
	return s->address;
}

unsigned
name_server_count(const struct name_server *s)
{
	return s->count;
}

unsigned
name_server_tcp_count(const struct name_server *s)
{
	return s->tcp_count;
}

bool
name_server_saw_ad(const struct name_server *s)
{
	return s->saw_ad;
}

void
name_server_stop_validating(struct name_server *s)
{
	s->has_no_ad = true;
}
