/*
 * The file of users: what is taken, what is refused with which words, and that
 * strangers look like users (T19).
 */
#include "common/base/check.h"
#include "common/secret/passwords.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define YES "$y$j9T$abcdefghijklmnop$EUfgOvTaLrKx87aYb7xDnngz.JEcWbLILGShVqEeRZ1"
#define SHA "$5$PGP4uH28hAtP8uWS$vYX3McMgQZNPPmSsjh0vn56A.8L/qQXAH9U3dJYCha0"
#define KEYS "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=," \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define SCRAM "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==," KEYS
#define SCRAM_SLOW "{SCRAM-SHA-256}9000,W22ZaJ0SNY7soEsU," KEYS

static const struct siphash_key seed = { 3, 4 };
static struct passwords p;
static struct buf text;

static void
begin(void)
{
	p = (struct passwords){ .n = 0 };
	buf_init(&text, 1 << 20);
}

static void
end(void)
{
	passwords_clear(&p);
	buf_clear(&text);
}

TestSuite(passwords, .init = begin, .fini = end);

static enum err
load(struct span file)
{
	return passwords_load(SPAN_LIT("/p"), file, &seed, &p, &text);
}

static const char *
words(void)
{
	buf_add_byte(&text, '\0');
	return (const char *)text.p;
}

static bool
fits(const char *user, const char *password)
{
	struct crypt_work *w = crypt_work_new();
	struct password_check c;
	bool is_so;

	passwords_check(&p, span_str(user), &c);
	is_so = password_fits(w, &c, span_str(password));
	crypt_work_free(&w);
	return is_so;
}

Test(passwords, users_of_each_kind_are_found)
{
	cr_assert_eq(load(SPAN_LIT("# users\n\n  anna:" YES "\r\n"
	    "bert:" SCRAM "\n\tcleo:" SHA "\ncleo:" SCRAM "\n"
	    "j\xc3\xbcrgen@example.org:" SHA)), OK);
	cr_expect_eq(p.n, 4);
	cr_expect_eq(p.scram_count, 2);
	cr_expect(fits("anna", "pencil"));
	cr_expect(fits("bert", "pencil"));
	cr_expect(fits("cleo", "pencil"));
	cr_expect(fits("j\xc3\xbcrgen@example.org", "pencil"));
	cr_expect_not(fits("anna", "penci"));
	cr_expect_not(fits("bert", ""));
	cr_expect_not(fits("Anna", "pencil"), "names are octets");
}

/* Every stranger's check is made of a user's hash, which it must not fit. */
Test(passwords, a_stranger_costs_the_same_and_never_fits)
{
	struct password_check c;
	unsigned scrams = 0;
	char name[16];

	cr_assert_eq(load(SPAN_LIT("anna:" YES "\nbert:" SCRAM "\n")), OK);
	for (int i = 0; i < 64; i++) {
		(void)snprintf(name, sizeof(name), "x%d", i);
		passwords_check(&p, span_str(name), &c);
		cr_expect_not(c.is_user);
		cr_expect(c.is_scram ? c.scram.iterations == 4096 :
		    c.hash_bytes == sizeof(YES) - 1);
		scrams += c.is_scram;
	}
	cr_expect(scrams > 8 && scrams < 56, "as mixed as the users");
	cr_expect_not(fits("x1", "pencil"));
	cr_expect_not(fits("x2", "pencil"));
	cr_expect_not(fits("x3", "pencil"));
}

Test(passwords, a_made_up_salt_is_like_the_others_and_stays)
{
	const struct siphash_key other = { 5, 6 };
	struct password_check a, b, c;

	cr_assert_eq(load(SPAN_LIT("anna:" YES "\nbert:" SCRAM "\ncleo:"
	    SCRAM "\ndora:" SCRAM_SLOW "\n")), OK);
	cr_expect(passwords_scram(&p, SPAN_LIT("nobody"), &a));
	cr_expect_not(a.is_user);
	cr_expect_eq(a.scram.iterations, 4096, "the commonest");
	cr_expect_eq(a.scram.salt_bytes, 16);
	cr_expect(passwords_scram(&p, SPAN_LIT("nobodx"), &b));
	cr_expect_arr_neq(a.scram.salt, b.scram.salt, 16);
	cr_expect(passwords_scram(&p, SPAN_LIT("dora"), &c));
	cr_expect(c.is_user);
	cr_expect_eq(c.scram.iterations, 9000);
	/* one whose hash is of crypt only has no SCRAM secret */
	cr_expect(passwords_scram(&p, SPAN_LIT("anna"), &c));
	cr_expect_not(c.is_user);
	cr_expect_eq(c.scram.iterations, 4096);
	/* after a restart, with another user more */
	passwords_clear(&p);
	cr_assert_eq(passwords_load(SPAN_LIT("/p"), SPAN_LIT("bert:" SCRAM
	    "\nemil:" SHA "\n"), &other, &p, &text), OK);
	cr_expect(passwords_scram(&p, SPAN_LIT("nobody"), &b));
	cr_expect_arr_eq(a.scram.salt, b.scram.salt, 16);
}

Test(passwords, without_users_nobody_fits)
{
	struct password_check c;

	cr_assert_eq(load(SPAN_LIT("# nobody\n")), OK);
	cr_expect_not(fits("anna", "pencil"));
	cr_expect_not(fits("", ""));
	cr_expect_not(passwords_scram(&p, SPAN_LIT("anna"), &c));
	passwords_clear(&p);
	cr_expect_not(fits("anna", "pencil"));
}

Test(passwords, all_mistakes_are_told_with_their_lines)
{
	cr_assert_eq(load(SPAN_LIT("anna:" YES "\nanna:" SHA "\n# x\n"
	    "bert:$1$PXnbtBMw$18vkc8ie5GnSRAT/0D6fi/\nnone\n:" SHA "\n"
	    "e\x01:" SHA "\nf\xff:" SHA "\ng :" SHA "\nh:" SHA ":1:2\n"
	    "i:{SCRAM-SHA-256}1,W22ZaJ0SNY7soEsUEjb6gQ==," KEYS "\n"
	    "j:{SCRAM-SHA-256}x\nk:" SCRAM "\nk:" SCRAM "\nl:secret\n")),
	    ERR_SYNTAX);
	cr_expect_str_eq(words(),
	    "/p:2: a second hash of the same user (user anna)\n"
	    "/p:4: this kind of hash protects nothing; make another with "
	    "mtactl auth hash (user bert)\n"
	    "/p:5: a line is user:hash\n"
	    "/p:6: a user's name is 1 to 255 octets of UTF-8 without control "
	    "characters or a blank at its end\n"
	    "/p:7: a user's name is 1 to 255 octets of UTF-8 without control "
	    "characters or a blank at its end\n"
	    "/p:8: a user's name is 1 to 255 octets of UTF-8 without control "
	    "characters or a blank at its end\n"
	    "/p:9: a user's name is 1 to 255 octets of UTF-8 without control "
	    "characters or a blank at its end\n"
	    "/p:10: nothing may follow the hash (user h)\n"
	    "/p:11: the SCRAM secret needs 4096 to 1000000 iterations and a "
	    "salt of 8 to 64 octets (user i)\n"
	    "/p:12: the SCRAM secret is cut or garbled (user j)\n"
	    "/p:14: a second SCRAM secret of the same user (user k)\n"
	    "/p:15: what stands behind the user is no hash; make one with "
	    "mtactl auth hash (user l)\n");
	cr_expect_eq(p.n, 0, "untouched");
}

Test(passwords, the_number_of_users_has_an_end)
{
	struct buf file;

	buf_init(&file, PASSWORDS_FILE_MAX);
	for (unsigned i = 0; i < PASSWORDS_USERS_MAX; i++)
		buf_addf(&file, "u%u:" SHA "\n", i);
	cr_assert_eq(load(buf_span(&file)), OK);
	cr_expect_eq(p.n, PASSWORDS_USERS_MAX);
	passwords_clear(&p);
	buf_add_str(&file, "one:" SHA "\n");
	cr_expect_eq(load(buf_span(&file)), ERR_RANGE);
	cr_expect(strstr(words(), "/p:100001: too many users") != NULL);
	buf_clear(&file);
}
