/*
 * One command line: verb and argument, RFC 5321 4.1.1.
 *
 * The verb's case is ignored; blanks at the end of the line are dropped, as
 * 4.1.1 wishes.  What the argument means is its verb's business.
 */
#ifndef MTAD_SMTP_SMTP_COMMAND_H
#define MTAD_SMTP_SMTP_COMMAND_H

#include "common/base/span.h"

enum smtp_verb {
	SMTP_VERB_UNKNOWN,
	SMTP_VERB_FOREIGN,	/* another protocol, such as HTTP */
#define VERB(name, text) SMTP_VERB_##name,
#define FOREIGN(text)
#include "common/smtp/smtp_command.def"
#undef FOREIGN
#undef VERB
	SMTP_VERB_COUNT
};

struct smtp_command {
	enum smtp_verb verb;
	struct span word;	/* the verb as it was written */
	struct span argument;	/* without blanks around it; may be empty */
	bool has_control;	/* some control character or NUL in the line */
};

/* Never fails: what is no command has an unknown verb.  Borrows LINE. */
void smtp_command_parse(struct span line, struct smtp_command *out);

/* "MAIL"; "unknown" for the first two. */
const char *smtp_command_name(enum smtp_verb verb);

#endif
