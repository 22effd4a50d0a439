/*
 * What a rule of `routes` says of who we are at its hosts: whether it can be
 * meant so.
 *
 * Part of conf_rules; nobody else needs it.
 */
#ifndef MTAD_CONFLOAD_CONF_CREDENTIAL_H
#define MTAD_CONFLOAD_CONF_CREDENTIAL_H

#include "common/conf/conf.h"
#include "common/confload/conf_report.h"

/* Adds errors and warnings; PLACE is the rule's. */
void conf_credential_check(const struct conf_route *route,
    struct conf_place place, struct conf_report *report);

#endif
