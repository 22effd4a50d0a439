"""Mail by MX under a hostile or broken name service (T24, T25, T28, C5321-19
to -25), what test_mx.py does not have: packets that lie, addresses that are
nobody's, servers that fail."""
import os
import struct
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nameserver, network, nexthop, relay
from support.nameserver import SERVFAIL, encode_name

OWN, GOOD, OTHER = "192.0.2.100", "192.0.2.1", "192.0.2.2"
META = "169.254.169.254"
DEFERRED, FAILED, DELIVERED = "deferred", "bounced", "delivered"


def packet(query, question, *rows, ident=None, flags=0x8180, count=None):
    """An answer whose every part may be wrong."""
    return (query[:2] if ident is None else struct.pack(">H", ident)) + \
        struct.pack(">HHHHH", flags, 1 if question else 0,
                    len(rows) if count is None else count, 0, 0) + \
        question + b"".join(rows)


def row(owner, kind, data, size=None):
    return owner + struct.pack(">HHIH", kind, 1, 60, len(data) if size is None
                               else size) + data


SAME = b"\xc0\x0c"              # a pointer to the name of the question
MX = struct.pack(">H", 10) + encode_name("mx.good.example")

# What each packet of lies has to lead to: never to a delivery, and never to a
# report, for tomorrow's answer may be right.
LIES = {
    "other-id": lambda q, n: packet(q, n, row(SAME, 15, MX), ident=1 ^
                                    struct.unpack(">H", q[:2])[0]),
    "other-question": lambda q, n: packet(
        q, encode_name("x.example") + n[-4:], row(SAME, 15, MX)),
    "no-question": lambda q, n: packet(q, b"", row(SAME, 15, MX)),
    "is-a-query": lambda q, n: packet(q, n, row(SAME, 15, MX), flags=0x0100),
    "short-mx": lambda q, n: packet(q, n, row(SAME, 15, b"\0")),
    "empty-mx": lambda q, n: packet(q, n, row(SAME, 15, b"")),
    "long-size": lambda q, n: packet(q, n, row(SAME, 15, MX, 60000)),
    "too-few": lambda q, n: packet(q, n, row(SAME, 15, MX), count=50),
    "pointer-loop": lambda q, n: packet(q, n, row(
        SAME, 15, b"\0\x0a\xc0" + bytes([12 + len(n) + 12 + 2]))),
    "pointer-out": lambda q, n: packet(q, n, row(SAME, 15, b"\0\x0a\xff\xff")),
    "label-type": lambda q, n: packet(q, n, row(SAME, 15, b"\0\x0a\x80abc\0")),
    "endless-name": lambda q, n: packet(q, n, row(
        SAME, 15, b"\0\x0a" + (b"\x3f" + b"a" * 63) * 5 + b"\0")),
    "cut": lambda q, n: packet(q, n, row(SAME, 15, MX))[:-5],
    "header-only": lambda q, n: q[:2] + b"\x81\x80",
    "nothing": lambda q, n: b"\0",
    "noise": lambda q, n: q[:2] + os.urandom(400),
    "long-chain": lambda q, n: packet(q, n, row(
        SAME, 5, encode_name("c0.example")), *(row(
            encode_name(f"c{i}.example"), 5, encode_name(f"c{i + 1}.example"))
            for i in range(20)), row(encode_name("c20.example"), 15, MX)),
}

ZONE = {
    ("mx.good.example", "A"): [GOOD],
    ("good.example", "MX"): [(10, "mx.good.example")],
    # somebody else's records in our answer do not count
    ("foreign.example", "MX"): lambda q, n: packet(
        q, n, row(encode_name("evil.example"), 15, MX)),
    ("foreign.example", "A"): [OTHER],
    # hosts
    ("half.example", "MX"): [(10, "sick.example"), (20, "mx.good.example")],
    ("sick.example", "A"): SERVFAIL,
    ("sick-only.example", "MX"): [(10, "sick.example"), (20, "void.example")],
    ("alias-host.example", "MX"): [(10, "alias.example")],
    ("alias.example", "CNAME"): ["mx.good.example"],
    ("many.example", "MX"): [(i, f"h{i}.example") for i in range(99)] +
                            [(0, "mx.good.example")],
    ("crowd.example", "MX"): [(10, "crowd.host.example")],
    ("crowd.host.example", "A"): [f"198.51.100.{i}" for i in range(1, 60)],
    ("address.example", "MX"): [(10, GOOD)],
    ("six.example", "MX"): [(10, "six.host.example")],
    ("six.host.example", "AAAA"): ["2001:db8::1"],
    ("self.example", "MX"): [(10, "self.host.example"),
                             (20, "mx.good.example")],
    ("self.host.example", "A"): [OWN],
    # addresses
    **{(f"{name}.example", "MX"): [(10, f"{name}.host.example")]
       for name in ("meta", "broadcast", "private-loop", "mapped", "v6-loop",
                    "v6-any", "v6-link", "v6-multicast")},
    ("meta.host.example", "A"): [META],
    ("broadcast.host.example", "A"): ["255.255.255.255"],
    ("private-loop.host.example", "A"): ["127.1.2.3"],
    ("mapped.host.example", "AAAA"): ["::ffff:127.0.0.1"],
    ("v6-loop.host.example", "AAAA"): ["::1"],
    ("v6-any.host.example", "AAAA"): ["::"],
    ("v6-link.host.example", "AAAA"): ["fe80::1"],
    ("v6-multicast.host.example", "AAAA"): ["ff02::1"],
    **{(f"{name}.lie.example", "MX"): lie for name, lie in LIES.items()},
    **{(f"{name}.lie.example", "A"): [OTHER] for name in LIES},
}
NOBODY = ("meta", "broadcast", "private-loop", "mapped", "v6-loop", "v6-any",
          "v6-link", "v6-multicast")
LONG = ".".join(["l" * 62] * 4)         # 251 octets


class Dns(unittest.TestCase):
    """All messages of a test go out at once; what became of each is read in
    the log."""

    settings = {"first_retry": "1h", "max_retry": "1h"}

    @classmethod
    def setUpClass(cls):
        cls.names = nameserver.NameServer(ZONE)
        dead = basics.free_ports(1)[0]
        cls.relay = relay.Relay(
            listeners=[{"address": f"{OWN}:25"}],
            routes=[], queue=cls.settings,
            dns={"servers": [f"127.0.0.1:{cls.names.port}",
                             f"127.0.0.1:{dead}"], "timeout": "2s"},
            deliver={"connect_timeout": "1s", "reply_timeout": "1s"},
            relay={"networks": ["127.0.0.1/32", OWN]}, start=False)
        cls.relay.config["listeners"].append(
            {"address": f"127.0.0.1:{cls.relay.port}"})
        cls.relay.configure()
        cls.relay.start()
        cls.hops = {at: nexthop.NextHop(25, at) for at in
                    (GOOD, OTHER, "127.0.0.1", META)}

    @classmethod
    def tearDownClass(cls):
        cls.relay.ctl("queue", "delete", "all", "--yes")
        cls.relay.stop()
        cls.relay.remove()
        for hop in (*cls.hops.values(), cls.names):
            hop.close()

    def fates(self, domains):
        """What became of a message to each: (word, line)."""
        with self.relay.connect() as c:
            c.hello()
            ids = {d: c.mail("", [f"u@{d}"], b"x\r\n") for d in domains}

        def ends():
            found = {}
            for line in self.relay.log().splitlines():
                for domain, queue_id in ids.items():
                    word = line.partition(f" id={queue_id} to=<")[0].split()
                    if word[-1] in (DEFERRED, FAILED, DELIVERED):
                        found[domain] = (word[-1], line)
            return found if len(found) == len(ids) else None
        return basics.wait_for("all have an end", ends)

    def check(self, expected):
        for domain, (word, line) in self.fates(expected).items():
            with self.subTest(domain):
                wanted, *text = expected[domain].split()
                self.assertEqual(word, wanted, line)
                for part in text:
                    self.assertIn(part, line)

    def test_lies(self):
        """T25: packets that lie or make no sense, of whatever kind, defer."""
        seen = len(self.hops[OTHER].sessions)
        fates = self.fates(f"{name}.lie.example" for name in LIES)
        for domain, (word, line) in fates.items():
            with self.subTest(domain):
                self.assertEqual(word, DEFERRED, line)
        self.assertEqual(len(self.hops[OTHER].sessions), seen)
        self.check({"good.example": DELIVERED})

    def test_foreign_records(self):
        """T25: records of other names are nobody's MX."""
        self.check({"foreign.example": DELIVERED})
        self.assertIn(["u@foreign.example"],
                      [m.recipients for m in self.hops[OTHER].messages])

    def test_hosts(self):
        """C5321-19, -24, T25: a host that can't be looked up now is passed
        over; if none is left the mail waits."""
        self.check({"half.example": DELIVERED,
                    "sick-only.example": DEFERRED,
                    "alias-host.example": DELIVERED,
                    "many.example": DELIVERED,
                    "address.example": f"{FAILED} 5.4.4"})

    def test_many_addresses(self):
        """T25: of sixty addresses a few are tried, and then it waits."""
        self.check({"crowd.example": DEFERRED})
        tried = self.relay.log().count("host=crowd.host.example addr=")
        self.assertLessEqual(tried, 6)

    def test_nobodys_addresses(self):
        """T24: nobody is mail exchanger at such an address, and no
        connection is made."""
        self.check({f"{name}.example": f"{FAILED} 5.4.6" for name in NOBODY})
        for at in ("127.0.0.1", META):
            self.assertEqual(self.hops[at].sessions, [])

    def test_no_ipv6_here(self):
        """A host with IPv6 addresses only may be reached another day."""
        self.check({"six.example": f"{DEFERRED} 4.4.1"})

    def test_own_address(self):
        """C5321-22, T24: an exchanger with an address where we listen is
        ourselves, whatever its name."""
        self.check({"self.example": f"{FAILED} 5.4.6",
                    f"[{OWN}]": f"{FAILED} 5.4.6"})

    def test_longest_name(self):
        """C5321-18, S5321-42: a name as long as a path may hold is asked
        for; an address needs no question."""
        self.check({LONG: f"{FAILED} 5.1.2", f"[{GOOD}]": DELIVERED})
        self.assertEqual(self.names.count(LONG, "MX"), 1)


if __name__ == "__main__":
    network.enter([OWN, GOOD, OTHER, META])
    basics.main()
