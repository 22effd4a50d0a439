"""Mail by MX: names, preferences, failures of names (C5321-17 to -25, NMX-*,
T24, T25, T26, T28), with a scripted name server."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, network, nameserver, nexthop, relay

PORT = 25       # elsewhere loopback addresses are allowed
HOSTS = [f"192.0.2.{i}" for i in range(1, 7)]
OWN = "192.0.2.100"
ZONE = {
    ("one.example", "MX"): [(10, "mx1.example")],
    ("order.example", "MX"): [(30, "mx3.example"), (10, "mx1.example"),
                              (20, "mx2.example")],
    ("equal.example", "MX"): [(10, "mx1.example"), (10, "mx2.example")],
    ("multi.example", "MX"): [(10, "many.example")],
    ("bare.example", "A"): ["192.0.2.4"],
    ("alias.example", "CNAME"): ["one.example"],
    ("null.example", "MX"): [(0, "")],
    ("notnull.example", "MX"): [(0, ""), (10, "mx1.example")],
    ("localhost.example", "MX"): [(0, "localhost")],
    ("unusable.example", "MX"): [(10, "nowhere.example")],
    ("unusable.example", "A"): ["192.0.2.4"],
    ("fail.example", "MX"): nameserver.SERVFAIL,
    ("silent.example", "MX"): nameserver.SILENCE,
    ("garbage.example", "MX"): nameserver.GARBAGE,
    ("large.example", "MX"): nameserver.TRUNCATED,
    ("large.example", "MX", "tcp"): [(i, f"mx{i}.void.example")
                                     for i in range(40)] +
                                    [(0, "mx1.example")],
    ("loop.example", "CNAME"): ["loop2.example"],
    ("loop2.example", "CNAME"): ["loop.example"],
    ("own.example", "MX"): [(10, "mx1.example"), (20, "relay.example.org"),
                            (30, "mx2.example")],
    ("only-own.example", "MX"): [(10, "relay.example.org")],
    ("inside.example", "MX"): [(10, "inside.void.example")],
    ("inside.void.example", "A"): ["127.0.0.1"],
    ("zero.example", "MX"): [(10, "zero.void.example")],
    ("zero.void.example", "A"): ["0.0.0.0"],
    ("multicast.example", "MX"): [(10, "multicast.void.example")],
    ("multicast.void.example", "A"): ["224.0.0.1"],
    ("mx1.example", "A"): ["192.0.2.1"],
    ("mx2.example", "A"): ["192.0.2.2"],
    ("mx3.example", "A"): ["192.0.2.3"],
    ("many.example", "A"): ["192.0.2.5", "192.0.2.6"],
    ("relay.example.org", "A"): [OWN],
    **{(f"mx{i}.void.example", "A"): [] for i in range(40)},
}


class Mx(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.names = nameserver.NameServer(ZONE)
        cls.relay = relay.Relay(
            routes=[], dns={"servers": [f"127.0.0.1:{cls.names.port}"],
                            "timeout": "1s"},
            deliver={"port": PORT, "connect_timeout": "1s",
                     "idle_timeout": "0s", "address_family": "ipv4"},
            queue={"first_retry": "1h", "max_retry": "1h"})

    @classmethod
    def tearDownClass(cls):
        cls.relay.stop()
        cls.relay.remove()
        cls.names.close()

    def setUp(self):
        self.hops = {}

    def tearDown(self):
        for hop in self.hops.values():
            hop.close()
        self.relay.ctl("queue", "delete", "all", "--yes")

    def up(self, *numbers, **script):
        for number in numbers:
            self.hops[number] = nexthop.NextHop(PORT, f"192.0.2.{number}",
                                                **script)

    def got(self, number):
        return len(self.hops[number].messages)

    def send(self, domain, sender="from@sender.example"):
        return self.relay.send(to=f"user@{domain}", sender=sender)

    def fate(self, domain):
        """Sends with a null sender: the log line that says what became of
        it."""
        queue_id = self.send(domain, sender="")

        def line():
            for text in self.relay.log().splitlines():
                if f"id={queue_id} " in text and any(
                        f" {event} " in text for event in (
                            "delivered", "deferred", "bounced",
                            "discarded")):
                    return text
            return None
        return basics.wait_for("an outcome", line, 10)

    def assert_failed(self, domain, status):
        line = self.fate(domain)
        self.assertNotIn(" deferred ", line)
        self.assertNotIn(" delivered ", line)
        self.assertIn(status, self.relay.log())

    # -- where it goes ------------------------------------------------------
    def test_mx_before_a(self):
        """C5321-17, C5321-25: by MX, also behind an alias; else by A."""
        self.up(1, 4)
        self.send("one.example")
        self.send("alias.example")
        self.send("bare.example")
        self.relay.wait_empty()
        self.assertEqual((self.got(1), self.got(4)), (2, 1))
        self.assertEqual(sorted(r for m in self.hops[1].messages
                                for r in m.recipients),
                         ["user@alias.example", "user@one.example"])

    def test_order_of_preference(self):
        """C5321-20: the best that answers."""
        self.up(1, 2, 3)
        self.send("order.example")
        self.relay.wait_empty()
        self.hops[1].close()
        self.send("order.example")
        self.relay.wait_empty()
        self.hops[2].script = {"greeting": b"421 4.3.2 busy\r\n"}
        self.send("order.example")
        self.relay.wait_empty()
        self.assertEqual([self.got(i) for i in (1, 2, 3)], [1, 1, 1])

    def test_equal_preferences_share(self):
        """C5321-20: by chance; of 200 connections each gets 35 to 65 %."""
        self.up(1, 2)
        with self.relay.connect() as c:
            c.hello()
            for i in range(200):
                c.mail("", ["user@equal.example"], b"x\r\n")
                basics.wait_for("it", lambda n=i: self.got(1) + self.got(2)
                                > n, pause=0.001)
        self.relay.wait_empty()
        self.assertTrue(70 <= self.got(1) <= 130, self.got(1))

    def test_every_address(self):
        """C5321-21: the second address when the first refuses."""
        self.up(6)
        self.send("multi.example")
        self.relay.wait_empty()
        self.assertEqual(self.got(6), 1)

    def test_truncated_answer(self):
        """T25: asked again by TCP; forty hosts are no problem."""
        self.up(1)
        self.send("large.example")
        self.relay.wait_empty()
        self.assertEqual(self.got(1), 1)
        self.assertIn(("large.example", "MX", "tcp"), self.names.asked)

    def test_own_name(self):
        """C5321-22, -23: we and what is less preferred are left out; nothing
        left is a loop."""
        self.up(1, 2)
        self.send("own.example")
        self.relay.wait_empty()
        self.assertEqual((self.got(1), self.got(2)), (1, 0))
        self.hops[1].close()
        self.assertIn(" deferred ", self.fate("own.example"))
        self.assertEqual(self.got(2), 0)
        self.assert_failed("only-own.example", "5.4.6")

    # -- when there is no way -----------------------------------------------
    def test_no_such_domain(self):
        """C5321-18."""
        self.assert_failed("nxdomain.example", "5.1.2")

    def test_null_mx(self):
        """NMX-01, NMX-04, T26."""
        self.assert_failed("null.example", "5.1.10")
        self.up(1)
        self.send("notnull.example")
        self.relay.wait_empty()
        self.assertEqual(self.got(1), 1)

    def test_temporary_failures(self):
        """C5321-19, T28: deferred."""
        for domain in ("fail.example", "silent.example", "garbage.example"):
            with self.subTest(domain):
                self.assertIn(" deferred ", self.fate(domain))

    def test_no_fallback(self):
        """C5321-24: an MX that can't be used is an error, not an A."""
        self.up(4)
        self.assertNotIn(" delivered ", self.fate("unusable.example"))
        self.assertEqual(self.hops[4].sessions, [])

    def test_alias_loop(self):
        """T25."""
        self.assertNotIn(" delivered ", self.fate("loop.example"))

    def test_inner_addresses(self):
        """T24, NMX-05: names from outside never lead inside."""
        inside = nexthop.NextHop(PORT, "127.0.0.1")
        any_host = nexthop.NextHop(PORT, HOSTS[0])
        try:
            for domain in ("inside.example", "zero.example",
                           "multicast.example", "localhost.example"):
                with self.subTest(domain):
                    self.assertNotIn(" delivered ", self.fate(domain))
            self.assertEqual(inside.sessions, [])
        finally:
            inside.close()
            any_host.close()

    def test_names_are_cached(self):
        """A hundred messages to one domain ask once, not a hundred times."""
        self.up(1)
        before = self.names.count("one.example", "MX")
        for _ in range(100):
            self.send("one.example")
        self.relay.wait_empty()
        self.assertLessEqual(self.names.count("one.example", "MX") - before,
                             2)

    def test_dead_name_server(self):
        """T28: everything waits, nothing is returned, mail is taken."""
        self.names.zone[("later.example", "MX")] = nameserver.SILENCE
        start = time.monotonic()
        for i in range(20):
            self.send("later.example")
        self.assertLess(time.monotonic() - start, 3)
        self.relay.wait_count(20, "state:deferred")
        self.names.zone[("later.example", "MX")] = [(10, "mx1.example")]
        self.up(1)
        self.relay.retry()
        self.relay.wait_empty()
        self.assertEqual(self.got(1), 20)


if __name__ == "__main__":
    network.enter([*HOSTS, OWN])
    basics.main()
