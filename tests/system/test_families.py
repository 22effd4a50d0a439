"""Hosts with addresses of both families, of which one leads nowhere: neither its
connection nor its name keeps the mail waiting (RFC 8305)."""
import os
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nameserver, network, nexthop, relay
from support.nameserver import SILENCE

FOUR, SIX = "192.0.2.1", "2001:db8::1"
DEAD_FOUR, DEAD_SIX = "192.0.2.2", "2001:db8::2"
SOON = 4        # seconds; each dead family alone would cost 6 at least
ZONE = {}
for name, four, six in (
        ("both", [FOUR], [SIX]), ("dead-four", [DEAD_FOUR], [SIX]),
        ("dead-six", [FOUR], [DEAD_SIX]), ("mute-four", SILENCE, [SIX]),
        ("mute-six", [FOUR], SILENCE), ("dead", [DEAD_FOUR], [DEAD_SIX]),
        ("worst", SILENCE, [DEAD_SIX])):
    ZONE[f"{name}.example", "MX"] = [(10, f"mx.{name}.example")]
    ZONE[f"mx.{name}.example", "A"] = four
    ZONE[f"mx.{name}.example", "AAAA"] = six


class Wall:
    """An address that takes no connection and refuses none: its queue is full."""

    def __init__(self, host):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sockets = [socket.socket(family) for _ in range(4)]
        self.sockets[0].bind((host, 25))
        self.sockets[0].listen(0)
        for s in self.sockets[1:]:
            s.setblocking(False)
            s.connect_ex((host, 25))
        time.sleep(0.2)

    def close(self):
        for s in self.sockets:
            s.close()


class Families(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        subprocess.run(["ip", "-6", "route", "add", "local", "2000::/3",
                        "dev", "lo"], check=True)
        with open("/proc/sys/net/ipv6/ip_nonlocal_bind", "w",
                  encoding="ascii") as f:
            f.write("1")
        cls.names = nameserver.NameServer(ZONE)
        cls.walls = [Wall(DEAD_FOUR), Wall(DEAD_SIX)]
        cls.hops = {at: nexthop.NextHop(25, at) for at in (FOUR, SIX)}
        cls.relay = relay.Relay(
            routes=[], queue={"first_retry": "1h", "max_retry": "1h"},
            dns={"servers": [f"127.0.0.1:{cls.names.port}"],
                 "timeout": "6s"},
            deliver={"connect_timeout": "6s", "idle_timeout": "0s",
                     "address_family": "any"},
            log={"level": "debug"})

    @classmethod
    def tearDownClass(cls):
        cls.relay.ctl("queue", "delete", "all", "--yes")
        cls.relay.stop()
        cls.relay.remove()
        for thing in (*cls.hops.values(), *cls.walls, cls.names):
            thing.close()

    def arrives(self, name):
        """By which of the two it came, and how long that took."""
        seen = {at: len(hop.messages) for at, hop in self.hops.items()}
        start = time.monotonic()
        self.relay.send(to=[f"user@{name}.example"])

        def came():
            return [at for at, hop in self.hops.items()
                    if len(hop.messages) > seen[at]]

        basics.wait_for("it arrives", came, 15)
        time.sleep(0.3)
        at, = came()
        self.assertEqual(len(self.hops[at].messages), seen[at] + 1)
        return at, time.monotonic() - start

    def test_both_live(self):
        """No second connection is made where the first one is quick."""
        before = sum(len(hop.sessions) for hop in self.hops.values())
        for _ in range(5):
            self.arrives("both")
        after = sum(len(hop.sessions) for hop in self.hops.values())
        self.assertEqual(after - before, 5)

    def test_dead_families(self):
        for name, at in (("dead-four", SIX), ("dead-six", FOUR)):
            with self.subTest(name):
                way, seconds = self.arrives(name)
                self.assertEqual(way, at)
                self.assertLess(seconds, SOON)

    def test_unanswered_names(self):
        """T25, T28: a name server that keeps silent about one family."""
        for name, at in (("mute-four", SIX), ("mute-six", FOUR)):
            with self.subTest(name):
                way, seconds = self.arrives(name)
                self.assertEqual(way, at)
                self.assertLess(seconds, SOON)

    def test_nothing_answers(self):
        """Both are tried, and told of; the mail waits.  The
        relay can be stopped while all of that is under way."""
        with self.relay.connect() as c:
            c.hello()
            ids = {name: c.mail("", [f"u@{name}.example"], b"x\r\n")
                   for name in ("dead", "worst")}
        basics.wait_for("an end", lambda: f" deferred id={ids['dead']}"
                        in self.relay.log(), 40)
        for at in (DEAD_FOUR, DEAD_SIX):
            self.assertEqual(self.relay.log().count(
                f" hop_failed host=mx.dead.example addr={at} "), 1)


if __name__ == "__main__":
    network.enter([FOUR, DEAD_FOUR])
    basics.main()
