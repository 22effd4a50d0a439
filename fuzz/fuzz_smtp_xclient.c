/*
 * XCLIENT's argument: what is taken is printable and bounded, and what is not
 * taken leaves nothing behind.
 */
#include "common/base/check.h"
#include "common/base/text.h"
#include "common/smtp/smtp_xclient.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_text(const struct smtp_xclient_text *t)
{
	for (unsigned i = 0; i < t->n; i++)
		MUST(text_is_print((uint8_t)t->text[i]));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct smtp_xclient x = { 0 }, sum = { 0 };
	const struct smtp_xclient none = { 0 };
	const char *why = NULL;

	if (smtp_xclient_parse(span_of(p, n), &x, &why) != OK) {
		MUST(why != NULL && memcmp(&x, &none, sizeof(x)) == 0);
		return 0;
	}
	MUST(x.given < 1U << SMTP_XCLIENT_COUNT);
	MUST((x.unknown & ~x.given) == 0);
	check_text(&x.name);
	check_text(&x.helo);
	check_text(&x.login);
	MUST(!smtp_xclient_has(&x, SMTP_XCLIENT_ADDR) ||
	    x.client.addr.family != IPADDR_NONE);
	smtp_xclient_merge(&sum, &x);
	MUST(sum.given == x.given && sum.unknown == x.unknown);
	return 0;
}
