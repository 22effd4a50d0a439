/*
 * What the host knows of names: resolv.conf's servers, and /etc/hosts.
 *
 * The parent only finds the lines; dnsd, which has no files, gets the bytes.
 */
#ifndef MTAD_MTAD_NAMES_H
#define MTAD_MTAD_NAMES_H

#include "common/base/buf.h"

#define NAMES_HOSTS_MAX		((size_t)256 * 1024)
#define NAMES_SERVERS_MAX	8

/* Appends "addr:port,addr:port" for the `nameserver` lines of a resolv.conf's
 * bytes; 127.0.0.1:53 when there is none, as resolvers do. */
void names_servers(struct span resolv_conf, struct buf *out);

/* Whether its options have trust-ad: the resolvers, and the way to them, are
 * known to be good.  RFC 4035 4.9.3. */
bool names_trust_ad(struct span resolv_conf);

/* Appends the file's bytes, whole lines only, NAMES_HOSTS_MAX at most; a file
 * that can't be read counts as empty. */
void names_read(const char *path, struct buf *out);

#endif
