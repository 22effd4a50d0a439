/*
 * fillspool DIRECTORY -n COUNT [-s SENDERS] [-d DOMAINS] [-r RECIPIENTS]
 *	[-h HELD] [-a ACTIVE] [-A OLDEST] [-f FROM] [-w UNTIL] [-b BYTES[-BYTES]]
 *	[-k KEY] [-p DOMAIN] [-S]
 *
 * Makes or extends a spool (bench/spool_fill.h) that no queued has open.  HELD
 * and ACTIVE are of a hundred; OLDEST is an age (3d), FROM and UNTIL say when
 * the deferred are due (10m, 1h from now).  KEY is that of a smart host, when
 * there is one; domains begin with DOMAIN, "d" by default.  -S syncs each group
 * as queued does; without it the disk is asked once, at the end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/spool_fill.h"
#include "common/base/units.h"
#include "common/os/clock.h"

static int
usage(void)
{
	(void)fputs("usage: fillspool DIRECTORY -n COUNT [-s SENDERS] "
	    "[-d DOMAINS] [-r RECIPIENTS] [-h HELD] [-a ACTIVE] [-A OLDEST] "
	    "[-f FROM] [-w UNTIL] [-b BYTES[-BYTES]] [-k KEY] "
	    "[-p DOMAIN] [-S]\n",
	    stderr);
	return 2;
}

static bool
is_bytes(const char *text, struct spool_fill *f)
{
	const char *dash = strchr(text, '-');
	size_t n = dash != NULL ? (size_t)(dash - text) : strlen(text);
	uint64_t low, high;

	if (units_parse_bytes(span_of(text, n), &low) != OK)
		return false;
	high = low;
	if (dash != NULL && units_parse_bytes(span_str(dash + 1), &high) != OK)
		return false;
	f->bytes_min = (size_t)low;
	f->bytes_max = (size_t)high;
	return high >= low && high <= 256 * 1024;
}

static bool
take(int option, const char *value, struct spool_fill *f)
{
	struct span text = span_str(value != NULL ? value : "");
	uint64_t n = 0;

	switch (option) {
	case 'A':
		return units_parse_ms(text, &f->age_ms) == OK;
	case 'f':
		return units_parse_ms(text, &f->due_from_ms) == OK;
	case 'w':
		return units_parse_ms(text, &f->due_ms) == OK;
	case 'b':
		return is_bytes(value, f);
	case 'k':
		f->via = value;
		return true;
	case 'p':
		f->domain = value;
		return true;
	case 'S':
		f->is_synced = true;
		return true;
	default:
		break;
	}
	if (units_parse_u64(text, &n) != OK || (option != 'n' &&
	    n > UINT32_MAX))
		return false;
	switch (option) {
	case 'n':
		f->count = n;
		return true;
	case 's':
		f->senders = (uint32_t)n;
		return true;
	case 'd':
		f->domains = (uint32_t)n;
		return true;
	case 'r':
		f->recipients = (uint32_t)n;
		return true;
	case 'h':
		f->held = (uint32_t)n;
		return true;
	case 'a':
		f->active = (uint32_t)n;
		return true;
	default:
		return false;
	}
}

int
main(int argc, char **argv)
{
	struct spool_fill f = { .senders = 1000, .domains = 1000,
	    .age_ms = 0, .due_from_ms = 3600000, .due_ms = 2 * 3600000,
	    .bytes_min = 1024, .bytes_max = 1024 };
	int64_t begin = clock_mono_ms(), ms;
	struct why why;
	int option;

	while ((option = getopt(argc, argv, "n:s:d:r:h:a:A:f:w:b:k:p:S")) != -1)
		if (!take(option, optarg, &f))
			return usage();
	if (optind + 1 != argc || f.count == 0)
		return usage();
	f.path = argv[optind];
	if (spool_fill(&f, &why) != OK) {
		(void)fprintf(stderr, "%s\n", why.text);
		return 1;
	}
	ms = clock_mono_ms() - begin;
	printf("%llu messages in %.2f s: %.0f/s\n",
	    (unsigned long long)f.count, (double)ms / 1e3,
	    (double)f.count * 1e3 / (double)(ms > 0 ? ms : 1));
	return 0;
}
