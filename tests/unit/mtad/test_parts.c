/* Parts of the parent: names of the host, ports, environment, children. */
#include "common/base/check.h"
#include "common/os/fd.h"
#include "common/os/sock.h"
#include "mtad/child.h"
#include "mtad/environment.h"
#include "mtad/names.h"
#include "mtad/ports.h"
#include "mtad/procs.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

Test(names, servers_of_resolv_conf)
{
	static const struct {
		const char *text;
		const char *wanted;
	} rows[] = {
		{ "", "127.0.0.1:53" },
		{ "search example.org\n", "127.0.0.1:53" },
		{ "nameserver 192.0.2.1\n", "192.0.2.1:53" },
		{ "nameserver 192.0.2.1", "192.0.2.1:53" },
		{ "# x\nnameserver\t2001:db8::1 \r\nnameserver 192.0.2.2 x\n",
		    "[2001:db8::1]:53,192.0.2.2:53" },
		{ " nameserver 192.0.2.1\n", "192.0.2.1:53" },
		{ "nameservers 192.0.2.1\n;nameserver 192.0.2.1\n",
		    "127.0.0.1:53" },
		{ "nameserver fe80::1%eth0\nnameserver bad\nnameserver\n",
		    "127.0.0.1:53" },
		{ "nameserver 1.1.1.1\nnameserver 1.1.1.2\n"
		    "nameserver 1.1.1.3\nnameserver 1.1.1.4\n"
		    "nameserver 1.1.1.5\nnameserver 1.1.1.6\n"
		    "nameserver 1.1.1.7\nnameserver 1.1.1.8\n"
		    "nameserver 1.1.1.9\n",
		    "1.1.1.1:53,1.1.1.2:53,1.1.1.3:53,1.1.1.4:53,"
		    "1.1.1.5:53,1.1.1.6:53,1.1.1.7:53,1.1.1.8:53" },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct buf out;

		buf_init(&out, 4096);
		names_servers(span_str(rows[i].text), &out);
		cr_assert(span_equal(buf_span(&out),
		    span_str(rows[i].wanted)), "row %zu: %.*s", i,
		    (int)out.n, (char *)out.p);
		buf_clear(&out);
	}
}

Test(names, trust_ad)
{
	static const struct {
		const char *text;
		bool is_trusted;
	} rows[] = {
		{ "", false },
		{ "nameserver 192.0.2.1\n", false },
		{ "options trust-ad", true },
		{ "nameserver 192.0.2.1\noptions edns0\ttrust-ad  ndots:1\n",
		    true },
		{ "options edns0\noptions trust-ad\n", true },
		{ "#options trust-ad\n", false },
		{ "options trust-ads no-trust-ad\n", false },
		{ "search trust-ad\ntrust-ad\n", false },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		cr_expect_eq(names_trust_ad(span_str(rows[i].text)),
		    rows[i].is_trusted, "row %zu", i);
}

Test(names, a_long_file_is_cut_between_lines)
{
	char path[] = "/tmp/mtad-hosts-XXXXXX";
	int fd = mkstemp(path);
	struct buf out;

	for (int i = 0; i < 40000; i++)
		cr_assert_gt(dprintf(fd, "192.0.2.1 host%d\n", i), 0);
	buf_init(&out, NAMES_HOSTS_MAX + 4096);
	names_read(path, &out);
	cr_assert_leq(out.n, NAMES_HOSTS_MAX);
	cr_assert_gt(out.n, NAMES_HOSTS_MAX - 40);
	cr_assert_eq(out.p[out.n - 1], '\n');
	cr_assert_eq(ftruncate(fd, 0), 0);
	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	cr_assert_gt(dprintf(fd, "192.0.2.1 a"), 0);
	buf_reset(&out);
	names_read(path, &out);
	cr_assert_eq(out.n, 11);
	unlink(path);
	buf_reset(&out);
	names_read(path, &out);
	cr_assert_eq(out.n, 0);
	buf_clear(&out);
	close(fd);
}

/* A configuration with these listeners. */
static struct conf *
conf_with(struct conf_listener *v, size_t n)
{
	struct conf *conf;

	cr_assert_eq(conf_new(&conf), OK);
	conf->listeners.v = v;
	conf->listeners.n = n;
	return conf;
}

static struct conf_listener
listener_at(uint16_t port)
{
	struct conf_listener l = { 0 };

	l.address.kind = CONF_ADDRESS_IP;
	l.address.endpoint.addr = ipaddr_v4((uint8_t[]){ 127, 0, 0, 1 });
	l.address.endpoint.port = port;
	return l;
}

static uint16_t
free_port(void)
{
	struct endpoint e = { .addr = ipaddr_v4((uint8_t[]){ 127, 0, 0, 1 }) };
	int fd;

	cr_assert_eq(sock_listen(&e, 1, &fd), OK);
	cr_assert_eq(sock_local(fd, &e), OK);
	close(fd);
	return e.port;
}

Test(ports, are_kept_over_a_reload)
{
	struct ports none = { .n = 0 }, first, second;
	struct conf_listener v[2] = {
		listener_at(free_port()), listener_at(free_port()),
	};
	struct conf *conf = conf_with(v, 2);
	struct ports_result r;
	int kept;

	ports_result_init(&r);
	cr_assert_eq(ports_open(conf, &none, &first, &r), OK);
	cr_assert_eq(first.n, 2);
	kept = first.v[1].fd;
	/* the first goes, the second stays with another number, one comes */
	v[0] = v[1];
	v[1] = listener_at(free_port());
	cr_assert_eq(ports_open(conf, &first, &second, &r), OK);
	cr_assert_eq(second.n, 2);
	cr_assert_eq(second.v[0].fd, kept);
	cr_assert_eq(second.v[0].index, 0);
	cr_assert_neq(second.v[1].fd, kept);
	ports_close(&first, &second);
	cr_assert_neq(lseek(kept, 0, SEEK_CUR), 0);
	cr_assert_eq(dup2(kept, kept), kept, "it is still open");
	ports_close(&second, NULL);
	cr_assert_eq(dup2(kept, kept), -1);
	ports_result_clear(&r);
	conf_free(&conf);
}

Test(ports, all_errors_are_told_and_nothing_stays_open)
{
	struct ports none = { .n = 0 }, holder, ports;
	const uint16_t taken = free_port();
	struct conf_listener v[3] = { listener_at(taken) };
	struct conf *conf = conf_with(v, 1);
	struct ports_result r;
	char wanted[128];

	ports_result_init(&r);
	cr_assert_eq(ports_open(conf, &none, &holder, &r), OK);
	v[1] = v[0];
	v[0] = listener_at(free_port());
	v[2] = listener_at(taken);
	v[2].address.endpoint.addr =
	    ipaddr_v4((uint8_t[]){ 192, 0, 2, 77 });
	conf->listeners.n = 3;
	cr_assert_eq(ports_open(conf, &none, &ports, &r), ERR_IO);
	cr_assert_eq(ports.n, 0);
	cr_assert(r.is_in_use);
	buf_add_byte(&r.errors, 0);
	(void)snprintf(wanted, sizeof(wanted), "127.0.0.1:%u: Address already "
	    "in use (another program", taken);
	cr_assert_neq(strstr((char *)r.errors.p, wanted), NULL);
	cr_assert_neq(strstr((char *)r.errors.p, "192.0.2.77"), NULL);
	ports_result_clear(&r);
	ports_close(&holder, NULL);
	conf_free(&conf);
}

/* T50 */
Test(environment, only_the_zone_is_passed_on)
{
	const char *out[8];
	bool has_zone = false;

	setenv("TZ", "UTC", 1);
	setenv("LD_PRELOAD_X", "x", 1);
	setenv("TZX", "x", 1);
	setenv("OPENSSL_CONF", "/tmp/x", 1);
	environment_choose(out, 8);
	for (size_t i = 0; out[i] != NULL; i++) {
		has_zone |= strcmp(out[i], "TZ=UTC") == 0;
		cr_assert(strncmp(out[i], "TZ=", 3) == 0 ||
		    strstr(out[i], "SAN_OPTIONS=") != NULL, "%s", out[i]);
	}
	cr_assert(has_zone);
	environment_choose(out, 1);
	cr_assert_null(out[0]);
}

/* Channels are mutual: whoever names a peer is named by it. */
Test(procs, peers_are_mutual)
{
	for (size_t a = 0; a < PROC_COUNT; a++)
	for (size_t b = 0; b < PROC_COUNT; b++)
		cr_assert_eq((procs[a].peers & 1u << procs[b].role) != 0,
		    (procs[b].peers & 1u << procs[a].role) != 0);
}

/* ---- siblings ---- */

static void
on_msg(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	(void)ctx;
	(void)c;
	(void)m;
	(void)fd;
}

static void
on_close(void *ctx, struct channel *c, enum channel_end end, const char *why)
{
	(void)ctx;
	(void)c;
	(void)end;
	(void)why;
}

/* A running child: gives the end of its channel that is not the parent's. */
static int
make_child(struct mtad *m, enum proc_id id)
{
	static const struct channel_ops ops = { on_msg, on_close };
	static const struct channel_id self = { .role = ROLE_PARENT };
	const struct channel_id peer = { .role = procs[id].role };
	struct child *c = &m->children[m->child_count];
	int ends[2];

	c->mtad = m;
	c->row = &procs[id];
	c->instance = ++m->child_count;
	MUST(fd_pair(ends) == OK);
	MUST(timer_init(&c->restart, m->loop, NULL, c) == OK);
	MUST(timer_init(&c->kill, m->loop, NULL, c) == OK);
	MUST(timer_init(&c->rejoin, m->loop, NULL, c) == OK);
	MUST(channel_new(m->loop, ends[0], &self, &peer, &ops, c,
	    &c->channel) == OK);
	return ends[1];
}

/* Without a descriptor for the second copy nobody is left half joined. */
Test(child, joined_again_when_descriptors_ran_out)
{
	struct mtad *m = calloc(1, sizeof(*m));
	struct rlimit old, low;
	int queued, smtpd, next;

	cr_assert_eq(loop_new(&m->loop), OK);
	queued = make_child(m, PROC_QUEUED);
	smtpd = make_child(m, PROC_SMTPD);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	for (int room = 0; room < 4; room++) {
		timer_stop(&m->children[0].rejoin);
		/* the numbers below the limit: of the pair and a copy */
		next = dup(queued);
		close(next);
		low = old;
		low.rlim_cur = (rlim_t)(next + room);
		cr_assert_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
		child_join(&m->children[0], &m->children[1]);
		cr_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
		cr_expect(timer_is_running(&m->children[0].rejoin), "%d",
		    room);
	}
	timer_stop(&m->children[0].rejoin);
	child_join(&m->children[0], &m->children[1]);
	cr_expect_not(timer_is_running(&m->children[0].rejoin));
	child_free_all(m);
	close(queued);
	close(smtpd);
	loop_free(&m->loop);
	free(m);
}
