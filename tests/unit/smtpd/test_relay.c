/*
 * Who may send where, in every spelling: T14, SPAM-01, S5321-13, S5321-41 to
 * S5321-44, S5321-50 to S5321-54.
 */
#include "common/base/check.h"
#include "tests/unit/smtpd/play.h"

#include <criterion/criterion.h>
#include <stdio.h>

struct spelling {
	const char *path;
	unsigned code;
};

static void
open_transaction(struct play *p, const char *client)
{
	play_connect(p, client);
	cr_assert_eq(play_code(p, "HELO c\r\n"), 250);
	cr_assert_eq(play_code(p, "MAIL FROM:<a@b.example>\r\n"), 250);
}

static unsigned
ask(struct play *p, const char *path)
{
	char line[1024];

	snprintf(line, sizeof(line), "RCPT TO:%s\r\n", path);
	return play_code(p, line);
}

static const struct spelling strangers[] = {
	/* ours */
	{ "<u@example.org>", 250 },
	{ "<U@EXAMPLE.ORG>", 250 },
	{ "<u@a.sub.example>", 250 },
	{ "<\"a b\"@example.org>", 250 },
	{ "<@evil.example:u@example.org>", 250 },
	/* not ours */
	{ "<u@sub.example>", 550 },
	{ "<u@evil.example>", 550 },
	{ "<u@xexample.org>", 550 },
	{ "<u@x.example.org>", 550 },
	{ "<u@example.org.evil.example>", 550 },
	{ "<@example.org:u@evil.example>", 550 },
	{ "<@example.org,@example.org:u@evil.example>", 550 },
	{ "<u%evil.example@example.org>", 550 },
	{ "<u%evil.example%example.org@example.org>", 550 },
	{ "<evil.example!u@example.org>", 550 },
	{ "<example.org!evil.example!u>", 550 },
	{ "<evil.example!u>", 550 },
	{ "<u%evil.example>", 550 },
	{ "<\"u@evil.example\"@example.org>", 550 },
	{ "<\"u@evil.example\">", 550 },
	{ "<\"u%evil.example\"@example.org>", 550 },
	{ "<\"u\\@evil.example\"@example.org>", 550 },
	{ "<u@[127.0.0.1]>", 550 },
	{ "<u@[192.0.2.1]>", 550 },
	{ "<u@[IPv6:::1]>", 550 },
	{ "<u@[IPv6:::ffff:127.0.0.1]>", 550 },
	{ "<u>", 550 },
	{ "<u@evil.example@example.org>", 501 },
	{ "<u@example.org@evil.example>", 501 },
	{ "<u@example.org.>", 501 },
	{ "<u@evil.example.>", 501 },
	{ "<u@evil.example,u@example.org>", 501 },
	{ "<u@evil.example\t@example.org>", 501 },
	{ "<u@evil.example example.org>", 501 },
	{ "<u@>", 501 },
	{ "<@example.org>", 501 },
	{ "<@evil.example:@example.org:u@example.org>", 501 },
	{ "u@evil.example", 501 },
	{ " <u@evil.example>", 501 },
	{ "<<u@example.org>>", 501 },
	{ "<u@[127.1]>", 501 },
	{ "<u@[0x7f.1]>", 501 },
	{ "<u@[256.1.1.1]>", 501 },
	{ "<u@[1.2.3]>", 501 },
	{ "<u@[IPv6:zz]>", 501 },
	{ "<u@[::1]>", 501 },
};

static void
check_spellings(const char *client)
{
	struct play p;

	play_init(&p);
	p.conf->limits.errors = 1000;
	open_transaction(&p, client);
	for (size_t i = 0; i < COUNT_OF(strangers); i++) {
		unsigned code = ask(&p, strangers[i].path);

		cr_expect_eq(code, strangers[i].code, "%s from %s: %u",
		    strangers[i].path, client, code);
		if (code == 550)
			cr_expect(memcmp(p.out.p + 4, "5.7.1", 5) == 0 ||
			    memcmp(p.out.p + 4, "5.1.3", 5) == 0);
	}
	play_clear(&p);
}

Test(smtpd_relay, strangers)
{
	check_spellings("192.0.2.1");
	check_spellings("2001:db8::1");
	check_spellings("::ffff:192.0.2.1");
	check_spellings("128.0.0.1");
}

/* T15: a mapped address is the IPv4 address. */
Test(smtpd_relay, trusted_clients_send_everywhere)
{
	static const char *const clients[] = {
		"127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1",
	};
	struct play p;

	play_init(&p);
	for (size_t i = 0; i < COUNT_OF(clients); i++) {
		open_transaction(&p, clients[i]);
		cr_expect_eq(ask(&p, "<u@evil.example>"), 250);
		cr_expect_eq(ask(&p, "<u%x@example.org>"), 250);
		cr_expect_eq(ask(&p, "<u@[192.0.2.1]>"), 250);
		cr_expect_eq(ask(&p, "<u>"), 250);
		cr_expect_eq(ask(&p, "<u@a@b>"), 501);
	}
	play_clear(&p);
}

/* A reload that takes the trust away works from the next MAIL on. */
Test(smtpd_relay, trust_is_asked_anew)
{
	struct play p;

	play_init(&p);
	open_transaction(&p, "127.0.0.1");
	cr_expect_eq(ask(&p, "<u@evil.example>"), 250);
	p.conf->relay.networks.n = 0;
	play_rematch(&p);
	cr_expect_eq(play_code(&p, "RSET\r\n"), 250);
	cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example>\r\n"), 250);
	cr_expect_eq(ask(&p, "<u@evil.example>"), 550);
	play_clear(&p);
}

/* S5321-50 S5321-51 T16 */
Test(smtpd_relay, octets_that_no_path_may_have)
{
	struct play p;
	char line[] = "RCPT TO:<u?x@example.org>\r\n";
	char mail[] = "MAIL FROM:<u?x@example.org>\r\n";

	play_init(&p);
	p.conf->limits.errors = 10000;
	for (unsigned c = 0; c < 256; c++) {
		bool is_bad = c < 0x20 || c >= 0x7f;

		if (!is_bad || c == '\r' || c == '\n')
			continue;
		open_transaction(&p, "127.0.0.1");
		line[10] = (char)c;
		buf_reset(&p.out);
		play_feed(&p, span_of(line, sizeof(line) - 1));
		cr_expect(p.out.n > 3 && p.out.p[0] == '5', "%02x", c);
		cr_expect_eq(play_code(&p, "RSET\r\n"), 250);
		mail[12] = (char)c;
		buf_reset(&p.out);
		play_feed(&p, span_of(mail, sizeof(mail) - 1));
		cr_expect(p.out.n > 3 && p.out.p[0] == '5', "%02x", c);
		cr_expect_eq(rx_state(p.rx), RX_READY);
	}
	play_clear(&p);
}

static void
make_path(char *out, size_t local, size_t domain)
{
	size_t n = 0;

	out[n++] = '<';
	for (size_t i = 0; i < local; i++)
		out[n++] = 'l';
	out[n++] = '@';
	for (size_t i = 0; i < domain; i++)
		out[n++] = i % 60 == 59 ? '.' : 'd';
	out[n++] = '>';
	out[n] = '\0';
}

/* S5321-41 S5321-42 S5321-43: octets of the local part, the domain and the
 * path with its brackets. */
Test(smtpd_relay, lengths)
{
	static const struct { size_t local, domain; unsigned code; } rows[] = {
		{ 64, 20, 250 }, { 65, 20, 501 }, { 1, 252, 250 },
		{ 2, 252, 501 }, { 64, 189, 250 }, { 64, 190, 501 },
		{ 1, 255, 250 }, { 1, 256, 501 },
	};
	struct play p;
	char path[400];

	play_init(&p);
	open_transaction(&p, "127.0.0.1");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		make_path(path, rows[i].local, rows[i].domain);
		cr_expect_eq(ask(&p, path), rows[i].code, "%zu@%zu: %.*s",
		    rows[i].local, rows[i].domain, (int)p.out.n,
		    (const char *)p.out.p);
	}
	play_clear(&p);
}
