/*
 * Choices about delivery, in the order of their words in conf_value.c.
 */
#ifndef MTAD_CONF_CONF_CHOICES_H
#define MTAD_CONF_CONF_CHOICES_H

/* What becomes of mail that may have been delivered. */
enum conf_doubt { CONF_DOUBT_RETRY, CONF_DOUBT_HOLD };

/* The same for a route: as queue.in_doubt says, or one of these. */
enum conf_route_doubt {
	CONF_ROUTE_DOUBT_QUEUE,
	CONF_ROUTE_DOUBT_RETRY,
	CONF_ROUTE_DOUBT_HOLD,
};

/* 8-bit mail for a host without 8BITMIME; binary mail is passed to none. */
enum conf_eight_bit {
	CONF_EIGHT_BIT_CONVERT,
	CONF_EIGHT_BIT_CONVERT_UNSIGNED, /* not what a multipart/signed has */
	CONF_EIGHT_BIT_RETURN,
	CONF_EIGHT_BIT_PASS,
};

/* The same for a route: as deliver.eight_bit says, or one of these. */
enum conf_route_eight_bit {
	CONF_ROUTE_EIGHT_BIT_DELIVER,
	CONF_ROUTE_EIGHT_BIT_CONVERT,
	CONF_ROUTE_EIGHT_BIT_CONVERT_UNSIGNED,
	CONF_ROUTE_EIGHT_BIT_RETURN,
	CONF_ROUTE_EIGHT_BIT_PASS,
};

/* Mail exchangers in private networks (ipaddr_is_private()). */
enum conf_private { CONF_PRIVATE_ALLOW, CONF_PRIVATE_REFUSE };

#endif
