/* STS-01: the record of MTA-STS, RFC 8461 3.1. */
#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/sts/sts_record.h"

#define ID32 "abcdefghijklmnopqrstuvwxyzABCDEF"

/* What each set of records leads to. */
static const struct {
	const char *records[3];
	const char *id;
} rows[] = {
	{ { "v=STSv1; id=20160831085700Z;" }, "20160831085700Z" },
	{ { "v=STSv1;id=1" }, "1" },
	{ { "v=STSv1 ; id=a1 ;" }, "a1" },
	{ { "v=STSv1;\tid=a1\t;\t" }, "a1" },
	{ { "v=STSv1; id=" ID32 ";" }, ID32 },
	{ { "v=STSv1; more.of-it_1=x:y<>~; id=a1" }, "a1" },
	/* the first of repeated ones */
	{ { "v=STSv1; id=a1; id=b2" }, "a1" },
	{ { "v=STSv1; id=a1; id=!" }, "a1" },
	/* other records are passed over */
	{ { "v=spf1 -all", "v=STSv1; id=a1;", "verify=1; id=2" }, "a1" },
	{ { "v=STSv10; id=b2", "v=STSv1; id=a1;" }, "a1" },
	/* none that begins as it has to */
	{ { NULL }, NULL },
	{ { "" }, NULL },
	{ { ";" }, NULL },
	{ { "v=STSv1" }, NULL },
	{ { " v=STSv1; id=a1;" }, NULL },
	{ { "v=stsv1; id=a1;" }, NULL },
	{ { "V=STSv1; id=a1;" }, NULL },
	{ { "v=STSv2; id=a1;" }, NULL },
	{ { "id=a1; v=STSv1;" }, NULL },
	/* not alone, whatever the other one says */
	{ { "v=STSv1; id=a1;", "v=STSv1; id=a1;" }, NULL },
	{ { "v=STSv1; id=a1;", "v=STSv1; nonsense" }, NULL },
	/* broken */
	{ { "v=STSv1;" }, NULL },
	{ { "v=STSv1; id=;" }, NULL },
	{ { "v=STSv1; id" }, NULL },
	{ { "v=STSv1; id=a-1" }, NULL },
	{ { "v=STSv1; id=a 1" }, NULL },
	{ { "v=STSv1; id = a1" }, NULL },
	{ { "v=STSv1; id=" ID32 "x" }, NULL },
	{ { "v=STSv1; id=a1;; x=1" }, NULL },
	{ { "v=STSv1; id=a1; x" }, NULL },
	{ { "v=STSv1; id=a1; x=" }, NULL },
	{ { "v=STSv1; id=a1; x=a=b" }, NULL },
	{ { "v=STSv1; id=a1; .x=1" }, NULL },
	{ { "v=STSv1; id=a1; x\xc3\xa4=1" }, NULL },
	{ { "v=STSv1; id=a1; x=\xc3\xa4" }, NULL },
};

Test(sts_record, sets)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct sts_records r = { 0 };
		const char *id;

		for (size_t k = 0; k < 3 && rows[i].records[k] != NULL; k++)
			sts_records_add(&r, span_str(rows[i].records[k]));
		id = sts_records_id(&r);
		if (rows[i].id == NULL)
			cr_expect_null(id, "row %zu", i);
		else
			cr_expect_str_eq(id, rows[i].id, "row %zu", i);
	}
}

/* Every cut and every flipped bit is read within its bounds, and an id that
 * comes of it is one. */
Test(sts_record, damaged)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct span whole = span_str(rows[i].records[0]);

		for (size_t bit = 0; bit < whole.n * 8; bit++) {
			struct sts_records cut = { 0 }, flipped = { 0 };
			uint8_t *p = malloc(bit / 8 + 1), *q = malloc(whole.n);
			const char *id;

			memcpy(p, whole.p, bit / 8);
			memcpy(q, whole.p, whole.n);
			q[bit / 8] ^= (uint8_t)(1 << bit % 8);
			sts_records_add(&cut, span_of(p, bit / 8));
			sts_records_add(&flipped, span_of(q, whole.n));
			id = sts_records_id(&cut);
			cr_assert(id == NULL || sts_id_is_valid(span_str(id)));
			id = sts_records_id(&flipped);
			cr_assert(id == NULL || sts_id_is_valid(span_str(id)));
			free(p);
			free(q);
		}
	}
}
