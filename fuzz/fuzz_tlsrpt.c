/*
 * Records that ask for reports, and the file of counts: any bytes.  The first
 * octet says which.  What is read can be reported and written again; a report is
 * seven-bit mail with lines that a host takes.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "queued/tlsrpt/tlsrpt_record.h"
#include "queued/tlsrpt/tlsrpt_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const struct siphash_key seed = { 3, 4 };
static const struct tlsrpt_sender sender = {
	.host = SPAN_LIT("mail.example"), .contact = SPAN_LIT("p@example"),
};

static void
check_mail(struct span mail)
{
	size_t line = 0;

	for (size_t i = 0; i < mail.n; i++, line++) {
		MUST(mail.p[i] < 0x80 && mail.p[i] != 0);
		MUST(mail.p[i] != '\n' || mail.p[i - 1] == '\r');
		if (mail.p[i] == '\n')
			line = 0;
		MUST(line <= 998);
	}
}

static void
report(const struct tlsrpt_day *day)
{
	struct buf json, mail;

	buf_init(&json, 1 << 22);
	buf_init(&mail, 1 << 23);
	MUST(tlsrpt_report_json(day, &sender, &json) == OK);
	tlsrpt_report_mail(day, &sender, SPAN_LIT("a@b"), buf_span(&json), 0,
	    &mail);
	MUST(!buf_failed(&mail));
	check_mail(buf_span(&mail));
	buf_clear(&json);
	buf_clear(&mail);
}

static void
write_again(struct tlsrpt *t)
{
	struct tlsrpt *again;
	struct buf file;

	buf_init(&file, TLSRPT_FILE_MAX);
	tlsrpt_put(t, &file);
	MUST(tlsrpt_new(&seed, &again) == OK);
	MUST(tlsrpt_read(again, buf_span(&file)) == OK);
	MUST(tlsrpt_domains(again) == tlsrpt_domains(t));
	tlsrpt_free(&again);
	buf_clear(&file);
}

static void
read_file(struct span bytes)
{
	struct tlsrpt_day *day;
	struct tlsrpt *t;

	MUST(tlsrpt_new(&seed, &t) == OK);
	if (tlsrpt_read(t, bytes) == OK) {
		write_again(t);
		while ((day = tlsrpt_due(t, INT64_C(20001) * 86400000 +
		    86000000)) != NULL) {
			report(day);
			tlsrpt_forget(t, &day);
		}
	}
	tlsrpt_free(&t);
}

static void
read_record(struct span txt)
{
	char mailbox[TLSRPT_MAILBOX_SIZE];
	struct tlsrpt_record r;

	if (tlsrpt_record_pick(&txt, 1, &r) != OK)
		return;
	MUST(r.n > 0 && r.n <= TLSRPT_URIS_MAX);
	for (size_t i = 0; i < r.n; i++)
		if (tlsrpt_record_mailbox(r.uris[i], mailbox) == OK)
			MUST(strpbrk(mailbox, "\r\n<>") == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	uint8_t *copy;
	uint32_t sum;

	if (n == 0)
		return 0;
	if (bytes[0] & 1) {
		read_record(span_of(bytes + 1, n - 1));
		return 0;
	}
	bytes++;
	n--;
	read_file(span_of(bytes, n));
	if (n < 16 || (copy = malloc(n)) == NULL)
		return 0;
	memcpy(copy, bytes, n);
	memcpy(copy, "MTADTLR\n\1\0\0", 11);
	copy[11] = 0;
	sum = htole32(crc32c(0, copy, n - 4));
	memcpy(copy + n - 4, &sum, 4);
	read_file(span_of(copy, n));
	free(copy);
	return 0;
}
