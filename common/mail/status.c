/*
 * Three numbers with dots.  The digits' values are kept as they came, known or
 * not (RFC 3463 2 allows new ones); the table is for people only.
 */
#include "common/mail/status.h"

#include "common/base/check.h"
#include "common/base/text.h"

/* RFC 3463 and 5248, and the registry's later rows, in our words. */
static const struct {
	uint16_t subject, detail;
	const char *text;
} texts[] = {
	{ 0, 0, "other or undefined status" },
	{ 1, 0, "other address status" },
	{ 1, 1, "the mailbox does not exist" },
	{ 1, 2, "the domain does not exist or takes no mail" },
	{ 1, 3, "the address is malformed" },
	{ 1, 4, "the address is ambiguous" },
	{ 1, 5, "the address is valid" },
	{ 1, 6, "the mailbox has moved" },
	{ 1, 7, "the sender's address is malformed" },
	{ 1, 8, "the sender's domain does not exist" },
	{ 1, 9, "relayed to a system that sends no reports" },
	{ 1, 10, "the domain declares that it takes no mail" },
	{ 2, 0, "other mailbox status" },
	{ 2, 1, "the mailbox is disabled" },
	{ 2, 2, "the mailbox is full" },
	{ 2, 3, "the message is too large for the mailbox" },
	{ 2, 4, "the mailing list could not be expanded" },
	{ 3, 0, "other mail system status" },
	{ 3, 1, "the mail system is full" },
	{ 3, 2, "the system does not accept mail now" },
	{ 3, 3, "the system cannot do what the message needs" },
	{ 3, 4, "the message is too large for the system" },
	{ 3, 5, "the system is configured wrongly" },
	{ 4, 0, "other network or routing status" },
	{ 4, 1, "the host did not answer" },
	{ 4, 2, "the connection broke" },
	{ 4, 3, "a directory or name server failed" },
	{ 4, 4, "no way to the host is known" },
	{ 4, 5, "the network is congested" },
	{ 4, 6, "the message went round in a loop" },
	{ 4, 7, "the message could not be delivered in time" },
	{ 5, 0, "other protocol status" },
	{ 5, 1, "invalid command" },
	{ 5, 2, "syntax error" },
	{ 5, 3, "too many recipients" },
	{ 5, 4, "invalid command arguments" },
	{ 5, 5, "wrong protocol version" },
	{ 5, 6, "a line is too long" },
	{ 6, 0, "other content status" },
	{ 6, 1, "the kind of content is not supported" },
	{ 6, 2, "conversion is needed and prohibited" },
	{ 6, 3, "conversion is needed and not supported" },
	{ 6, 4, "converted with loss" },
	{ 6, 5, "conversion failed" },
	{ 6, 7, "non-ASCII addresses are not supported" },
	{ 7, 0, "other security or policy status" },
	{ 7, 1, "not permitted by policy" },
	{ 7, 2, "not permitted to send to this list" },
	{ 7, 4, "a security feature is not supported" },
	{ 7, 5, "encryption failed" },
	{ 7, 7, "the message was altered" },
	{ 7, 8, "wrong user name or password" },
	{ 7, 10, "encryption is needed" },
	{ 7, 25, "the client's address has no valid name" },
	{ 7, 26, "the message fails authentication checks" },
	{ 7, 27, "the sender's domain takes no mail" },
	{ 7, 30, "the required encryption is not available" },
};

/* A number of one to three digits without leading zeros, at *I. */
static bool
take_number(struct span s, size_t *i, uint16_t *out)
{
	size_t from = *i;
	unsigned v = 0;

	while (*i < s.n && *i - from < 3 && text_is_digit(s.p[*i])) {
		v = v * 10 + (unsigned)(s.p[*i] - '0');
		*i += 1;
	}
	if (*i == from || (s.p[from] == '0' && *i - from > 1))
		return false;
	*out = (uint16_t)v;
	return true;
}

/* Octets of a code at the start of S; 0 when there is none. */
static size_t
take(struct span s, struct status *out)
{
	struct status v = { 0, 0, 0 };
	size_t i = 2;

	if (s.n < 5 || s.p[1] != '.')
		return 0;
	/* RFC 3463 2: success, for now, for good; there are no others */
	if (s.p[0] != '2' && s.p[0] != '4' && s.p[0] != '5')
		return 0;
	v.class = (uint8_t)(s.p[0] - '0');
	if (!take_number(s, &i, &v.subject) || i == s.n || s.p[i++] != '.' ||
	    !take_number(s, &i, &v.detail))
		return 0;
	*out = v;
	return i;
}

enum err
status_parse(struct span s, struct status *out)
{
	struct status v;

	if (s.n == 0 || take(s, &v) != s.n)
		return ERR_SYNTAX;
	*out = v;
	return OK;
}

size_t
status_take(struct span text, unsigned reply_code, struct status *out)
{
	struct status v;
	size_t n = take(text, &v);

	if (n == 0 || !status_agrees(v, reply_code))
		return 0;
	/* "5.1.1x" or "5.1.10.2" is a word of the text, no code */
	if (n < text.n && text.p[n++] != ' ')
		return 0;
	*out = v;
	return n;
}

bool
status_agrees(struct status s, unsigned reply_code)
{
	return s.class != 0 && s.class == reply_code / 100;
}

struct status
status_of_code(unsigned reply_code)
{
	unsigned class = reply_code / 100;

	if (class != 2 && class != 4 && class != 5)
		class = 0;
	return STATUS((uint8_t)class, 0, 0);
}

/* One to three digits; returns how many. */
static size_t
put_number(char *to, unsigned v)
{
	size_t n = 0;

	if (v >= 100)
		to[n++] = (char)('0' + v / 100 % 10);
	if (v >= 10)
		to[n++] = (char)('0' + v / 10 % 10);
	to[n++] = (char)('0' + v % 10);
	return n;
}

size_t
status_format(struct status s, char out[STATUS_SIZE])
{
	size_t n = 0;

	out[n++] = (char)('0' + s.class % 10);
	out[n++] = '.';
	n += put_number(out + n, s.subject);
	out[n++] = '.';
	n += put_number(out + n, s.detail);
	out[n] = '\0';
	return n;
}

const char *
status_text(struct status s)
{
	/* the row x.N.0 of a subject stands before its other ones */
	const char *of_subject = texts[0].text;

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		if (texts[i].subject != s.subject)
			continue;
		if (texts[i].detail == s.detail)
			return texts[i].text;
		if (texts[i].detail == 0)
			of_subject = texts[i].text;
	}
	return of_subject;
}
