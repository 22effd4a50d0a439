/*
 * SCRAM-SHA-256, by the example of RFC 7677 section 3, whose password is
 * "pencil".
 */
#include "common/base/base64.h"
#include "common/base/check.h"
#include "common/secret/scram.h"

#include <criterion/criterion.h>

#define SECRET "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==," \
	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=," \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define MESSAGE "n=user,r=rOprNGfwEbeRWgbNEkqO," \
	"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0," \
	"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096," \
	"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define PROOF "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define SIGNATURE "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static void
decode(const char *text, uint8_t out[SCRAM_KEY_BYTES])
{
	size_t n;

	cr_assert_eq(base64_decode(span_str(text), out, SCRAM_KEY_BYTES, &n),
	    OK);
	cr_assert_eq(n, SCRAM_KEY_BYTES);
}

static struct scram_secret
secret(void)
{
	struct scram_secret s;

	cr_assert_eq(scram_read(SPAN_LIT(SECRET), &s), OK);
	return s;
}

Test(scram, the_example_of_the_rfc_is_proved)
{
	const struct scram_secret s = secret();
	uint8_t proof[SCRAM_KEY_BYTES], want[SCRAM_KEY_BYTES];
	uint8_t got[SCRAM_KEY_BYTES];

	decode(PROOF, proof);
	decode(SIGNATURE, want);
	cr_assert(scram_prove(&s, SPAN_LIT(MESSAGE),
	    span_of(proof, sizeof(proof)), got));
	cr_assert_arr_eq(got, want, sizeof(want));
}

/* The same exchange in SCRAM-SHA-256-PLUS, bound by tls-exporter to the octets
 * 0 to 31; computed elsewhere (Python's hashlib). */
Test(scram, a_bound_exchange_is_proved)
{
	static const char bound[] = "n=user,r=rOprNGfwEbeRWgbNEkqO,"
	    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
	    "c=cD10bHMtZXhwb3J0ZXIsLAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR"
	    "4f,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
	const struct scram_secret s = secret();
	uint8_t proof[SCRAM_KEY_BYTES], want[SCRAM_KEY_BYTES];
	uint8_t got[SCRAM_KEY_BYTES];

	decode("QC6CS20quADQRb3mT99YUH+n3VJxUvzuK0K0E1Vrs2M=", proof);
	decode("2GiAgapEppLVlUXbxUDksL3VgYHzuqiK5tR4mhJGgvs=", want);
	cr_assert(scram_prove(&s, span_str(bound),
	    span_of(proof, sizeof(proof)), got));
	cr_assert_arr_eq(got, want, sizeof(want));
	/* and is no proof of the one that is not bound */
	cr_assert_not(scram_prove(&s, SPAN_LIT(MESSAGE),
	    span_of(proof, sizeof(proof)), got));
}

Test(scram, another_proof_or_message_is_refused_and_nothing_is_signed)
{
	static const uint8_t nothing[SCRAM_KEY_BYTES];
	const struct scram_secret s = secret();
	uint8_t proof[SCRAM_KEY_BYTES], got[SCRAM_KEY_BYTES];

	decode(PROOF, proof);
	for (size_t i = 0; i < sizeof(proof); i++) {
		proof[i] ^= 1;
		cr_expect_not(scram_prove(&s, SPAN_LIT(MESSAGE),
		    span_of(proof, sizeof(proof)), got));
		cr_expect_arr_eq(got, nothing, sizeof(got));
		proof[i] ^= 1;
	}
	cr_expect_not(scram_prove(&s, SPAN_LIT("n=other"),
	    span_of(proof, sizeof(proof)), got));
	for (size_t n = 0; n < sizeof(proof); n++)
		cr_expect_not(scram_prove(&s, SPAN_LIT(MESSAGE),
		    span_of(proof, n), got));
}

Test(scram, a_password_makes_the_secret_and_fits_it)
{
	const struct scram_secret s = secret();
	struct scram_secret made;
	struct buf text;

	cr_assert_eq(scram_make(SPAN_LIT("pencil"), span_of(s.salt,
	    s.salt_bytes), 4096, &made), OK);
	buf_init(&text, 1024);
	scram_write(&made, &text);
	cr_expect(span_equal(buf_span(&text), SPAN_LIT(SECRET)));
	buf_clear(&text);
	cr_expect(scram_fits(&s, SPAN_LIT("pencil")));
	cr_expect_not(scram_fits(&s, SPAN_LIT("Pencil")));
	cr_expect_not(scram_fits(&s, SPAN_NONE));
}

Test(scram, what_is_no_secret_is_refused)
{
	static const struct {
		const char *text;
		enum err e;
	} rows[] = {
		{ "", ERR_SYNTAX },
		{ "{SCRAM-SHA-1}4096,W22ZaJ0SNY7soEsUEjb6gQ==,", ERR_SYNTAX },
		{ SECRET ",", ERR_SYNTAX },
		{ "{SCRAM-SHA-256}4095,W22ZaJ0SNY7soEsUEjb6gQ==,"
		    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
		    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		    ERR_RANGE },
		{ "{SCRAM-SHA-256}1000001,W22ZaJ0SNY7soEsUEjb6gQ==,"
		    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
		    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		    ERR_RANGE },
		{ "{SCRAM-SHA-256}4096,AAAA,"
		    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
		    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		    ERR_RANGE },
	};
	struct scram_secret s;

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		cr_expect_eq(scram_read(span_str(rows[i].text), &s),
		    rows[i].e, "row %zu", i);
	for (size_t n = 0; n < sizeof(SECRET) - 1; n++)
		cr_expect_neq(scram_read(span_of(SECRET, n), &s), OK);
}

/* The other side of the same example. */
Test(scram, a_client_proves_and_knows_the_answer)
{
	const struct scram_secret s = secret();
	const struct span salt = span_of(s.salt, s.salt_bytes);
	uint8_t want[SCRAM_KEY_BYTES], proof[SCRAM_KEY_BYTES];
	uint8_t signature[SCRAM_KEY_BYTES];

	cr_assert_eq(scram_answer(SPAN_LIT("pencil"), salt, 4096,
	    SPAN_LIT(MESSAGE), proof, signature), OK);
	decode(PROOF, want);
	cr_expect_arr_eq(proof, want, sizeof(want));
	decode(SIGNATURE, want);
	cr_expect_arr_eq(signature, want, sizeof(want));
	/* a server that wants to guess, or to keep us busy */
	cr_expect_eq(scram_answer(SPAN_LIT("pencil"), salt, 4095,
	    SPAN_LIT(MESSAGE), proof, signature), ERR_RANGE);
	cr_expect_eq(scram_answer(SPAN_LIT("pencil"), salt,
	    SCRAM_ITERATIONS_MAX + 1, SPAN_LIT(MESSAGE), proof, signature),
	    ERR_RANGE);
	cr_expect_eq(scram_answer(SPAN_LIT("pencil"), SPAN_NONE, 4096,
	    SPAN_LIT(MESSAGE), proof, signature), ERR_RANGE);
}
