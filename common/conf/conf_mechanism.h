/*
 * How a route says who we are, in the order of its words in conf_value.c.
 */
#ifndef MTAD_CONF_CONF_MECHANISM_H
#define MTAD_CONF_CONF_MECHANISM_H

enum conf_mechanism {
	CONF_MECHANISM_ANY,
	CONF_MECHANISM_PLAIN,
	CONF_MECHANISM_LOGIN,
	CONF_MECHANISM_SCRAM_SHA_256,
	CONF_MECHANISM_EXTERNAL,
};

#endif
