/*
 * A name server in the test's own loop, on 127.0.0.1, UDP and TCP.  What it
 * answers depends on the first label of the name:
 *
 *	a	A 192.0.2.1, AAAA 2001:db8::1, MX 10 mx.test and 5 b.test
 *	tc	truncated by UDP, 20 addresses by TCP
 *	alias	a CNAME to a.test with its records
 *	nx	NXDOMAIN	none	no data		fail	SERVFAIL
 *	no	REFUSED		drop	nothing		junk	no DNS packet
 *	other	an answer to another question
 *	evil	an MX that is too short
 *	_25	TLSA 3 1 1 of 32 octets, 2 0 0 of 9,000
 *	_26	TLSA with a record of 20,000 octets
 */
#ifndef MTAD_TESTS_DNSD_NAME_SERVER_H
#define MTAD_TESTS_DNSD_NAME_SERVER_H

#include "common/loop/loop.h"

struct name_server;

struct name_server *name_server_new(struct loop *l);
void name_server_free(struct name_server **s);

const char *name_server_address(const struct name_server *s);
unsigned name_server_count(const struct name_server *s);	/* by UDP */
unsigned name_server_tcp_count(const struct name_server *s);
bool name_server_saw_ad(const struct name_server *s);

/* It validates no more: its answers have no AD bit. */
void name_server_stop_validating(struct name_server *s);

#endif
