#include <criterion/criterion.h>

#include "common/base/buf.h"
#include "common/base/rng.h"
#include "dnsd/hosts.h"

static const struct siphash_key seed = { 1, 2 };

static void
check(const struct hosts *h, const char *name, enum ipaddr_family family,
    const char *want)
{
	const struct ipaddr *list;
	char text[512] = "";
	size_t n;

	if (!hosts_find(h, span_str(name), family, &list, &n)) {
		cr_assert_null(want, "%s isn't there", name);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		char one[IPADDR_TEXT_SIZE];

		(void)ipaddr_format(&list[i], one);
		strcat(text, i > 0 ? " " : "");
		strcat(text, one);
	}
	cr_assert_not_null(want, "%s is %s", name, text);
	cr_assert_str_eq(text, want, "%s", name);
}

Test(hosts, file)
{
	static const char file[] =
	    "# a comment\n"
	    "127.0.0.1\tlocalhost\n"
	    "192.0.2.1 relay.Example relay # the relay\r\n"
	    "  2001:db8::1   relay.example.\n"
	    "192.0.2.2 relay.example#glued\n"
	    "\n"
	    "nonsense relay2\n"
	    "300.1.1.1 bad\n"
	    "192.0.2.3\n"
	    "192.0.2.4 last";
	struct hosts *h;

	cr_assert_eq(hosts_new(span_str(file), &seed, &h), OK);
	check(h, "relay.example", IPADDR_4, "192.0.2.1 192.0.2.2");
	check(h, "RELAY.EXAMPLE.", IPADDR_6, "2001:db8::1");
	check(h, "relay", IPADDR_4, "192.0.2.1");
	check(h, "relay", IPADDR_6, "");
	check(h, "glued", IPADDR_4, NULL);
	check(h, "relay2", IPADDR_4, NULL);
	check(h, "bad", IPADDR_4, NULL);
	check(h, "", IPADDR_4, NULL);
	check(h, "last", IPADDR_4, "192.0.2.4");
	check(h, "localhost", IPADDR_4, "127.0.0.1");
	check(h, "localhost", IPADDR_6, "");
	hosts_free(&h);
}

Test(hosts, empty)
{
	struct hosts *h;

	cr_assert_eq(hosts_new(SPAN_NONE, &seed, &h), OK);
	check(h, "localhost", IPADDR_4, "127.0.0.1");
	check(h, "localhost", IPADDR_6, "::1");
	hosts_free(&h);
	hosts_free(&h);
}

Test(hosts, bounded)
{
	struct hosts *h;
	struct buf file;
	const struct ipaddr *list;
	size_t n;

	buf_init(&file, 1 << 24);
	for (int i = 0; i < HOSTS_NAMES_MAX + 10; i++)
		buf_addf(&file, "10.0.%d.%d n%d\n", i / 256 % 256, i % 256, i);
	for (int i = 0; i < 100; i++)
		buf_addf(&file, "10.1.0.%d n1\n", i);
	for (int i = 0; i < 5000; i++)
		buf_add_byte(&file, 'x');
	cr_assert_eq(hosts_new(buf_span(&file), &seed, &h), OK);
	cr_assert(hosts_find(h, span_str("n1"), IPADDR_4, &list, &n));
	cr_assert_eq(n, HOSTS_ADDRESSES);
	check(h, "n20005", IPADDR_4, NULL);
	hosts_free(&h);
	buf_clear(&file);
}

Test(hosts, noise)
{
	struct rng rng;

	rng_init(&rng, 7);
	for (int round = 0; round < 2000; round++) {
		static const char alphabet[] = "1.2:af \t\r\n#x\\\0";
		char bytes[200];
		size_t n = (size_t)rng_below(&rng, sizeof(bytes));
		struct hosts *h;

		for (size_t i = 0; i < n; i++)
			bytes[i] = alphabet[rng_below(&rng,
			    sizeof(alphabet))];
		cr_assert_eq(hosts_new(span_of(bytes, n), &seed, &h), OK);
		hosts_free(&h);
	}
}
