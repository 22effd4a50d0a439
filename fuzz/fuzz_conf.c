/*
 * A configuration file of any bytes: refused, or a configuration that the dump
 * and the wire carry without a change, and that the route table takes.
 *
 * The first byte chooses what the rest is: a file, or the wire's bytes.
 */
#include <stdint.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/conf/conf_match.h"
#include "common/conf/conf_wire.h"
#include "common/confload/conf_dump.h"
#include "common/confload/conf_load.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define OUT_MAX ((size_t)16 << 20)

static void
expect_same(const struct conf *a, const struct conf *b)
{
	struct conf_change changes[CONF_CHANGES_MAX];

	MUST(conf_compare(a, b, CONF_ALL, changes) == 0);
}

static enum err
load(struct span bytes, struct conf **conf)
{
	struct conf_report report;
	struct buf text;
	enum err e;

	conf_report_init(&report, "fuzz.yaml");
	e = conf_load(bytes, "/etc/mtad", &report, conf);
	MUST((e == OK) == (report.n_errors == 0));
	buf_init(&text, OUT_MAX);
	conf_report_print(&report, true, &text);
	MUST(!buf_failed(&text));
	buf_clear(&text);
	conf_report_clear(&report);
	return e;
}

static void
use(const struct conf *conf)
{
	struct conf *copy;
	struct conf_match *match;
	struct buf bytes;

	buf_init(&bytes, CONF_WIRE_MAX);
	conf_wire_encode(conf, CONF_ALL, &bytes);
	if (!buf_failed(&bytes)) {
		MUST(conf_wire_decode(buf_span(&bytes), &copy) == OK);
		expect_same(conf, copy);
		conf_free(&copy);
	}
	buf_clear(&bytes);
	MUST(conf_match_new(conf, &match) == OK);
	(void)conf_match_domain(match, SPAN_LIT("a.example.org"));
	conf_match_free(&match);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span input = { p, n };
	struct conf *conf, *again;
	struct buf text;

	if (n > 0 && p[0] == 0) {
		if (conf_wire_decode(span_from(input, 1), &conf) == OK) {
			use(conf);
			conf_free(&conf);
		}
		return 0;
	}
	if (load(input, &conf) != OK)
		return 0;
	use(conf);
	buf_init(&text, CONF_LOAD_MAX);
	conf_dump(conf, 0, &text);
	if (!buf_failed(&text)) {
		MUST(load(buf_span(&text), &again) == OK);
		expect_same(conf, again);
		conf_free(&again);
	}
	buf_clear(&text);
	conf_free(&conf);
	return 0;
}
