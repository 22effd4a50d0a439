/*
 * Hashes of crypt(3): which are taken, and that they fit their password only.
 */
#include "common/base/check.h"
#include "common/secret/crypt_hash.h"

#include <criterion/criterion.h>

static const struct {
	const char *hash;		/* of "pencil" */
	enum crypt_verdict v;
} rows[] = {
	{ "$y$j9T$abcdefghijklmnop$EUfgOvTaLrKx87aYb7xDnngz.JEcWbLILGShVqEeRZ1",
	    CRYPT_FITS },
	{ "$6$rounds=2000$saltsalt$RmjqRj.x86Bhb3M5ZBRvehmnB98GzxeVPJUvt3qODn"
	    "K6d.lnnPxXP1icfWicz8oJiq5O5s0mnFDSn/XFe7jYJ/", CRYPT_FITS },
	{ "$5$PGP4uH28hAtP8uWS$vYX3McMgQZNPPmSsjh0vn56A.8L/qQXAH9U3dJYCha0",
	    CRYPT_FITS },
	{ "$2b$12$Vs1dDKT029sgFT9GyjYskux53W40vGX2kuQ7tp7BAG0AM2IC10tLa",
	    CRYPT_FITS },
	/* the last character is gone */
	{ "$y$j9T$abcdefghijklmnop$EUfgOvTaLrKx87aYb7xDnngz.JEcWbLILGShVqEeRZ",
	    CRYPT_MALFORMED },
	{ "$5$PGP4uH28hAtP8uWS$vYX3McMgQZNPPmSsjh0vn56A.8L/qQXAH9U3dJYCha",
	    CRYPT_MALFORMED },
	{ "$2b$12$Vs1dDKT029sgFT9GyjYskux53W40vGX2kuQ7tp7BAG0AM2IC10tL",
	    CRYPT_MALFORMED },
	{ "$6$", CRYPT_MALFORMED },
	{ "$y$", CRYPT_MALFORMED },
	{ "$2b$", CRYPT_MALFORMED },
	/* a gigabyte of memory; minutes */
	{ "$y$jFT$abcdefghijklmnop$EUfgOvTaLrKx87aYb7xDnngz.JEcWbLILGShVqEeRZ1",
	    CRYPT_COSTLY },
	{ "$5$rounds=99999999$PGP4uH28hAtP8uWS$vYX3McMgQZNPPmSsjh0vn56A.8L/qQ"
	    "XAH9U3dJYCha0", CRYPT_COSTLY },
	{ "$2b$20$Vs1dDKT029sgFT9GyjYskux53W40vGX2kuQ7tp7BAG0AM2IC10tLa",
	    CRYPT_COSTLY },
	{ "$1$PXnbtBMw$18vkc8ie5GnSRAT/0D6fi/", CRYPT_WEAK },
	{ "Bt4PRsNghhgmQ", CRYPT_WEAK },
	{ "_J9..K0AyUubDrfOgO4s", CRYPT_WEAK },
	{ "{PLAIN}pencil", CRYPT_WEAK },
	{ "", CRYPT_UNKNOWN },
	{ "pencil", CRYPT_UNKNOWN },
	{ "!", CRYPT_UNKNOWN },
	{ "*", CRYPT_UNKNOWN },
};

Test(crypt_hash, is_judged_by_its_form)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		cr_expect_eq(crypt_hash_judge(span_str(rows[i].hash)),
		    rows[i].v, "%s", rows[i].hash);
}

Test(crypt_hash, fits_its_password_only)
{
	struct crypt_work *w = crypt_work_new();

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct span hash = span_str(rows[i].hash);

		if (rows[i].v != CRYPT_FITS)
			continue;
		cr_expect(crypt_hash_fits(w, hash, SPAN_LIT("pencil")), "%s",
		    rows[i].hash);
		cr_expect_not(crypt_hash_fits(w, hash, SPAN_LIT("pencil ")));
		cr_expect_not(crypt_hash_fits(w, hash,
		    SPAN_LIT("pencil\0x")), "a NUL ends nothing");
	}
	crypt_work_free(&w);
}

Test(crypt_hash, is_made_with_another_salt_each_time)
{
	struct crypt_work *w = crypt_work_new();
	const struct span password = SPAN_LIT("a b:\xc3\xbc");
	char a[CRYPT_HASH_MAX + 1], b[CRYPT_HASH_MAX + 1];

	cr_assert_eq(crypt_hash_make(w, "$y$", password, a), OK);
	cr_assert_eq(crypt_hash_make(w, "$y$", password, b), OK);
	cr_expect_str_neq(a, b);
	cr_expect_eq(crypt_hash_judge(span_str(a)), CRYPT_FITS);
	cr_expect(crypt_hash_fits(w, span_str(a), password));
	cr_assert_eq(crypt_hash_make(w, "$6$", password, a), OK);
	cr_expect_eq(crypt_hash_judge(span_str(a)), CRYPT_FITS);
	cr_expect(crypt_hash_fits(w, span_str(a), password));
	cr_expect_eq(crypt_hash_make(w, "$6$", SPAN_LIT("a\0b"), a),
	    ERR_RANGE);
	crypt_work_free(&w);
}
