/*
 * The file of users.  What is taken has users who can be asked for, and
 * strangers who look like them; what is refused says why.
 */
#include "common/base/check.h"
#include "common/secret/passwords.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Nothing is checked against a hash here: that would be slow. */
static void
ask(const struct passwords *p, struct span user)
{
	struct password_check c;

	passwords_check(p, user, &c);
	MUST(!c.is_user || c.is_scram == (c.hash_bytes == 0));
	MUST(!c.is_user || !c.is_scram || c.scram.iterations != 0);
	MUST(passwords_scram(p, user, &c) == (p->scram_count > 0));
	MUST(p->scram_count == 0 ||
	    (c.scram.iterations >= SCRAM_ITERATIONS_MIN &&
	    c.scram.salt_bytes >= SCRAM_SALT_MIN));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const struct siphash_key seed = { 1, 2 };
	const struct span file = span_of(bytes, n);
	struct passwords p = { .n = 0 };
	struct buf text;
	enum err e;

	buf_init(&text, 1 << 20);
	e = passwords_load(SPAN_LIT("f"), file, &seed, &p, &text);
	MUST(e == OK ? text.n == 0 : text.n > 0);
	ask(&p, SPAN_LIT("user"));
	ask(&p, span_sub(file, 0, span_find(file, ':')));
	passwords_clear(&p);
	buf_clear(&text);
	return 0;
}
