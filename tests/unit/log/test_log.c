/* Log lines: their forms, their escaping, their bounds, and what happens when
 * nobody takes them. */
#include "common/base/check.h"
#include "common/base/rng.h"
#include "common/log/log.h"
#include "common/os/clock.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
	struct log *log;
	int file;
	char text[65536];
};

static void
open_log(struct fixture *f, enum log_format format)
{
	char path[] = "/tmp/mtad-log-XXXXXX";

	f->file = mkstemp(path);
	cr_assert_geq(f->file, 0);
	unlink(path);
	cr_assert_eq(log_new("smtpd", f->file, &f->log), OK);
	log_set_format(f->log, format);
	log_set_level(f->log, LOG_LEVEL_DEBUG);
}

static const char *
text_of(struct fixture *f)
{
	ssize_t n;

	cr_assert(log_flush(f->log));
	n = pread(f->file, f->text, sizeof(f->text) - 1, 0);
	cr_assert_geq(n, 0);
	f->text[n] = '\0';
	return f->text;
}

static void
close_log(struct fixture *f)
{
	log_free(&f->log);
	log_free(&f->log);
	close(f->file);
}

static void
log_sample(struct log *l, const struct log_context *c)
{
	const struct ipaddr ip = ipaddr_v4((uint8_t[]){ 192, 0, 2, 1 });

	cr_assert(log_begin(l, LOG_ACCEPTED, c));
	log_queue_id(l, "id", 1);
	log_address(l, "from", SPAN_LIT("a@b"));
	log_u64(l, "size", 4096);
	log_ip(l, "client", &ip);
	log_text(l, "helo", SPAN_LIT("mail x"));
	log_i64(l, "change", -5);
	log_ms(l, "delay", 1203);
	log_end(l);
}

static bool
looks_like(const char *s, const char *pattern)
{
	for (; *pattern != '\0'; s++, pattern++) {
		if (*pattern == '9' ? *s < '0' || *s > '9' : *s != *pattern)
			return false;
	}
	return true;
}

Test(log, text_form)
{
	struct fixture f;
	char wanted[512];
	const char *s;

	open_log(&f, LOG_TEXT);
	log_sample(f.log, NULL);
	s = text_of(&f);
	cr_assert(looks_like(s, "9999-99-99T99:99:99.999Z smtpd["), "%s", s);
	(void)snprintf(wanted, sizeof(wanted), "Z smtpd[%d] accepted "
	    "id=0000000000001 from=<a@b> size=4096 client=192.0.2.1 "
	    "helo=\"mail x\" change=-5 delay=1.203s\n", (int)getpid());
	cr_assert_str_eq(s + 23, wanted);
	close_log(&f);
}

Test(log, json_form)
{
	struct fixture f;
	char wanted[512];
	const char *s;

	open_log(&f, LOG_JSON);
	log_sample(f.log, NULL);
	s = text_of(&f);
	cr_assert(looks_like(s, "{\"time\":\"9999-99-99T99:99:99.999Z\""));
	(void)snprintf(wanted, sizeof(wanted), ",\"process\":\"smtpd\","
	    "\"pid\":%d,\"event\":\"accepted\",\"level\":\"info\","
	    "\"id\":\"0000000000001\",\"from\":\"a@b\",\"size\":4096,"
	    "\"client\":\"192.0.2.1\",\"helo\":\"mail x\",\"change\":-5,"
	    "\"delay\":1.203}\n", (int)getpid());
	cr_assert_str_eq(strchr(s, ','), wanted);
	close_log(&f);
}

Test(log, postfix_form_has_the_queue_id_in_front)
{
	struct fixture f;
	char wanted[512];
	const char *s;

	open_log(&f, LOG_POSTFIX);
	log_set_host(f.log, SPAN_LIT("mail"));
	log_sample(f.log, NULL);
	cr_assert(log_begin(f.log, LOG_FAILED, NULL));
	log_end(f.log);
	s = text_of(&f);
	(void)snprintf(wanted, sizeof(wanted), " mail mtad/smtpd[%d]: "
	    "0000000000001: accepted, from=<a@b>, size=4096, "
	    "client=192.0.2.1, helo=\"mail x\", change=-5, delay=1.203s\n",
	    (int)getpid());
	cr_assert_eq(strncmp(s + 15, wanted, strlen(wanted)), 0, "%s", s);
	cr_assert_neq(strstr(s, "]: error: failed\n"), NULL);
	close_log(&f);
}

Test(log, context_comes_first_and_from_outside_inwards)
{
	struct log_context message, recipient;
	const struct ipaddr ip = ipaddr_v4((uint8_t[]){ 192, 0, 2, 9 });
	struct fixture f;

	log_context_init(&message, NULL);
	log_context_queue_id(&message, "id", 2);
	log_context_ip(&message, "client", &ip);
	log_context_init(&recipient, &message);
	log_context_address(&recipient, "to", SPAN_LIT("c@d"));
	log_context_u64(&recipient, "try", 3);
	log_context_text(&recipient, "hop", SPAN_LIT("x"));
	log_context_text(&recipient, "more", SPAN_LIT("y"));
	log_context_text(&recipient, "left_out", SPAN_LIT("z"));
	open_log(&f, LOG_TEXT);
	cr_assert(log_begin(f.log, LOG_DELIVERED, &recipient));
	log_str(f.log, "last", "1");
	log_end(f.log);
	cr_assert_neq(strstr(text_of(&f), "] delivered id=0000000000002 "
	    "client=192.0.2.9 to=<c@d> try=3 hop=x more=y last=1\n"), NULL);
	close_log(&f);
}

Test(log, levels_hide_and_are_told)
{
	struct fixture f;

	open_log(&f, LOG_TEXT);
	log_set_level(f.log, LOG_LEVEL_WARNING);
	cr_assert_not(log_begin(f.log, LOG_ACCEPTED, NULL));
	cr_assert_not(log_begin(f.log, LOG_CONNECTED, NULL));
	cr_assert(log_begin(f.log, LOG_FAILED, NULL));
	log_str(f.log, "why", "x y");
	log_end(f.log);
	cr_assert_neq(strstr(text_of(&f),
	    "] failed level=error why=\"x y\"\n"), NULL);
	cr_assert_eq(strchr(f.text, '\n')[1], '\0');
	close_log(&f);
}

/* T17: one line an event, printable, bounded, whatever the bytes are. */
static void
check_lines(const char *s, size_t wanted)
{
	size_t lines = 0, length = 0;

	for (; *s != '\0'; s++) {
		length++;
		cr_assert(*s == '\n' || (*s >= 0x20 && *s < 0x7f));
		if (*s != '\n')
			continue;
		cr_assert_leq(length, LOG_LINE_MAX);
		lines++;
		length = 0;
	}
	cr_assert_eq(lines, wanted);
	cr_assert_eq(length, 0);
}

Test(log, nothing_foreign_gets_out_of_its_value)
{
	static const char hostile[] =
	    "x\n2026-01-01T00:00:00.000Z smtpd[1] accepted \x1b[2J\" id=1 "
	    "\xe2\x80\xae <\\>";
	struct fixture f;

	open_log(&f, LOG_TEXT);
	cr_assert(log_begin(f.log, LOG_REJECTED, NULL));
	log_text(f.log, "helo", span_of(hostile, sizeof(hostile)));
	log_address(f.log, "from", SPAN_LIT("a> to=<b \n"));
	log_text(f.log, "empty", SPAN_NONE);
	log_end(f.log);
	check_lines(text_of(&f), 1);
	cr_assert_neq(strstr(f.text, " helo=\"x\\x0a2026-01-01T00:00:00.000Z "
	    "smtpd[1] accepted \\x1b[2J\\x22 id=1 \\xe2\\x80\\xae <\\x5c>"
	    "\\x00\" from=<a\\x3e\\x20to=\\x3cb\\x20\\x0a> empty=\"\"\n"),
	    NULL, "%s", f.text);
	close_log(&f);
}

Test(log, long_and_many_fields_are_cut)
{
	static uint8_t huge[100000];
	static const enum log_format formats[] = {
		LOG_TEXT, LOG_JSON, LOG_POSTFIX,
	};

	for (size_t i = 0; i < COUNT_OF(formats); i++)
	for (int fill = 0; fill < 2; fill++) {
		struct fixture f;

		memset(huge, fill == 0 ? 'a' : 1, sizeof(huge));
		open_log(&f, formats[i]);
		cr_assert(log_begin(f.log, LOG_REJECTED, NULL));
		for (int field = 0; field < 10; field++)
			log_text(f.log, "value", span_of(huge, sizeof(huge)));
		for (int field = 0; field < 100; field++)
			log_u64(f.log, "number", UINT64_MAX);
		log_end(f.log);
		check_lines(text_of(&f), 1);
		cr_assert_neq(strstr(f.text, formats[i] == LOG_JSON ?
		    ",\"cut\":true}\n" : " cut=yes\n"), NULL, "%s", f.text);
		cr_assert_neq(strstr(f.text, "..."), NULL);
		close_log(&f);
	}
}

/* Random fields of random bytes and lengths never pass a bound. */
Test(log, random_lines)
{
	struct rng rng;
	uint8_t bytes[900];

	rng_init(&rng, 11);
	for (unsigned format = 0; format < LOG_FORMAT_COUNT; format++) {
		struct fixture f;

		open_log(&f, format);
		for (int i = 0; i < 20; i++) {
			cr_assert(log_begin(f.log, LOG_REJECTED, NULL));
			for (uint64_t n = rng_below(&rng, 12); n > 0; n--) {
				size_t size = rng_below(&rng, sizeof(bytes));

				for (size_t k = 0; k < size; k++)
					bytes[k] = (uint8_t)rng_u64(&rng);
				if (n % 3 == 0)
					log_address(f.log, "a",
					    span_of(bytes, size));
				else
					log_text(f.log, "t",
					    span_of(bytes, size));
				log_ms(f.log, "d", (int64_t)rng_u64(&rng));
			}
			log_end(f.log);
		}
		check_lines(text_of(&f), 20);
		close_log(&f);
	}
}

static void
count_notify(void *ctx)
{
	++*(unsigned *)ctx;
}

Test(log, lines_gather_until_flushed)
{
	struct fixture f;
	unsigned notified = 0;

	open_log(&f, LOG_TEXT);
	log_set_notify(f.log, count_notify, &notified);
	log_sample(f.log, NULL);
	log_sample(f.log, NULL);
	cr_assert_eq(notified, 1);
	cr_assert_eq(lseek(f.file, 0, SEEK_END), 0);
	check_lines(text_of(&f), 2);
	log_sample(f.log, NULL);
	cr_assert_eq(notified, 2);
	close_log(&f);
}

/* A pipe that nobody reads takes what fits, never blocks, tears no line, and
 * what was lost is told as soon as there is room. */
static void
check_slow_reader(int from, int to)
{
	static char text[4 * LOG_BUFFER_BYTES];
	struct log *l;
	int64_t begin = clock_mono_ms();
	uint64_t dropped;
	size_t n = 0, newlines = 0;
	ssize_t got;

	cr_assert_eq(log_new("smtpd", to, &l), OK);
	for (int i = 0; i < 20000; i++) {
		log_sample(l, NULL);
		if (i % 100 == 0)
			(void)log_flush(l);
	}
	cr_assert_not(log_flush(l));
	dropped = log_dropped(l);
	cr_assert_gt(dropped, 0);
	cr_assert_lt(clock_mono_ms() - begin, 5000);
	cr_assert_eq(fcntl(from, F_SETFL, O_NONBLOCK), 0);
	for (int i = 0; i < 10000; i++) {
		got = read(from, text + n, sizeof(text) - 1 - n);
		if (got > 0)
			n += (size_t)got;
		if (log_flush(l) && got < 0)
			break;
	}
	text[n] = '\0';
	for (size_t i = 0; i < n; i++)
		newlines += text[i] == '\n';
	cr_assert_neq(strstr(text, " log_dropped level=warning lines="), NULL);
	cr_assert_eq(newlines, 20000 - dropped + 1);
	log_free(&l);
}

Test(log, a_slow_pipe_never_blocks)
{
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	check_slow_reader(ends[0], ends[1]);
	close(ends[0]);
	close(ends[1]);
}

Test(log, a_slow_socket_never_blocks)
{
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	check_slow_reader(ends[0], ends[1]);
	close(ends[0]);
	close(ends[1]);
}

Test(log, a_reader_that_is_gone_costs_lines_only)
{
	struct log *l;
	int ends[2];

	signal(SIGPIPE, SIG_IGN);
	cr_assert_eq(pipe(ends), 0);
	close(ends[0]);
	cr_assert_eq(log_new("smtpd", ends[1], &l), OK);
	log_sample(l, NULL);
	(void)log_flush(l);
	cr_assert_eq(log_dropped(l), 1);
	close(ends[1]);
	log_free(&l);
}

Test(log, a_new_descriptor_gets_what_waits)
{
	struct fixture f;
	int null = open("/dev/null", O_WRONLY);

	open_log(&f, LOG_TEXT);
	log_set_fd(f.log, null);
	log_sample(f.log, NULL);
	log_set_fd(f.log, f.file);
	check_lines(text_of(&f), 1);
	close(null);
	close_log(&f);
}

Test(log, every_event_has_a_name_of_its_own)
{
	for (unsigned a = 0; a < LOG_ID_COUNT; a++) {
		const char *name = log_event_name(a);

		cr_assert_gt(strlen(name), 2);
		for (const char *p = name; *p != '\0'; p++)
			cr_assert(*p == '_' || (*p >= 'a' && *p <= 'z'));
		for (unsigned b = 0; b < a; b++)
			cr_assert_str_neq(name, log_event_name(b));
	}
}
