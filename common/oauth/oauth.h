/*
 * A client of OAuth 2.0 at a token endpoint (RFC 6749): what is asked, and what
 * the answer says.  By a refresh token (section 6) where there is one, else by
 * the client's own credentials (section 4.4).
 *
 * Who we are at the endpoint stands in the body (section 2.3.1).  Answers are a
 * stranger's: tokens are bearer tokens (RFC 6750) of bounded length, times are
 * clamped.
 */
#ifndef MTAD_OAUTH_OAUTH_H
#define MTAD_OAUTH_OAUTH_H

#include "common/base/buf.h"
#include "common/base/err.h"

#define OAUTH_TOKEN_MAX		5120u	/* as in messages.def */
#define OAUTH_REFRESH_MAX	4096u
#define OAUTH_TEXT_MAX		512u
#define OAUTH_REQUEST_MAX	((size_t)32 * 1024)	/* all of it escaped */
#define OAUTH_LIFE_S		3600u	/* of a token that does not say */
#define OAUTH_LIFE_MAX_S	(30u * 24 * 3600)
#define OAUTH_TYPE		"application/x-www-form-urlencoded"

struct oauth_request {
	struct span client_id;
	struct span client_secret;	/* empty: a public client */
	struct span refresh_token;	/* empty: none */
	struct span scope;		/* empty: the endpoint's default */
};

/* The body of the POST, appended; room for all of it at once, as memory that
 * grows leaves a copy behind.  Failure is the buffer's. */
void oauth_put_request(const struct oauth_request *r, struct buf *out);

struct oauth_answer {
	struct buf token;
	struct buf refresh;		/* the next refresh token; may be empty */
	struct buf text;		/* why there is no token, for people */
	uint32_t life_s;
};

/* life: zero the answer with init; wipe overwrites and frees. */
void oauth_answer_init(struct oauth_answer *a);
void oauth_answer_wipe(struct oauth_answer *a);

/*
 * BODY, which came with this STATUS of HTTP.  OK: TOKEN and LIFE_S are there;
 * ERR_DENIED: the endpoint gives none; ERR_SYNTAX: this is no answer of a token
 * endpoint; for both TEXT says what it was, in printable ASCII; ERR_NOMEM.
 */
enum err oauth_read(unsigned status, struct span body,
    struct oauth_answer *out);

#endif
