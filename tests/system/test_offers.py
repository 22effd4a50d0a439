"""What a next hop offers in its EHLO is used, and kept to."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, relay

BODY = b"Subject: x\r\n\r\nbody\r\n"


def ehlo(*words):
    lines = [b"h", b"PIPELINING", b"8BITMIME", *words]
    return b"".join(b"250-%s\r\n" % w for w in lines[:-1]) + \
        b"250 %s\r\n" % lines[-1]


class Case(unittest.TestCase):
    def setUp(self):
        self.hop = nexthop.NextHop()
        self.addCleanup(self.hop.close)

    def relay(self, port=None, **keys):
        r = relay.Relay(port or self.hop.port, **keys)
        self.addCleanup(r.remove)
        self.addCleanup(r.stop)
        return r


class Limits(Case):
    """RFC 9422"""

    def test_mails(self):
        """LIM-03: no more messages in a session than the host wants, also
        where those of one message are several transactions."""
        self.hop.script["EHLO"] = ehlo(b"LIMITS MAILMAX=2 RCPTMAX=1")
        r = self.relay(deliver={"connections": 1})
        with r.connect() as c:
            c.hello()
            for i in range(5):
                c.mail("s@sender.example",
                       [f"{i}{n}@served.example" for n in range(i + 1)],
                       BODY)
        r.wait_empty()
        self.assertEqual(sorted(a for m in self.hop.messages
                                for a in m.recipients),
                         sorted(f"{i}{n}@served.example" for i in range(5)
                                for n in range(i + 1)))
        for s in self.hop.sessions:
            self.assertLessEqual(s.stages.count("MAIL"), 2)
        self.assertLess(len(self.hop.sessions), 15)

    def test_recipients(self):
        """LIM-03, LIM-05"""
        self.hop.script["EHLO"] = ehlo(b"LIMITS RCPTMAX=3 RCPTDOMAINMAX=2")
        r = self.relay()
        to = [f"{n}@{d}.example" for n in range(4) for d in "abc"]
        r.send(BODY, to=to)
        r.wait_empty()
        self.assertEqual(sorted(a for m in self.hop.messages
                                for a in m.recipients), sorted(to))
        for m in self.hop.messages:
            self.assertLessEqual(len(m.recipients), 3)
            self.assertLessEqual(len({a.split("@")[1]
                                      for a in m.recipients}), 2)

    def test_void(self):
        """LIM-02"""
        self.hop.script["EHLO"] = ehlo(b"LIMITS RCPTMAX=1 MAILMAX=x")
        r = self.relay()
        to = [f"{n}@served.example" for n in range(4)]
        r.send(BODY, to=to)
        r.wait_empty()
        self.assertEqual([m.recipients for m in self.hop.messages], [to])

    def test_own_kind(self):
        """A second one of this kind says what it takes from strangers."""
        last = self.relay(relay={"networks": [], "domains": ["*.example"]},
                          limits={"recipients": 2})
        r = self.relay(last.port)
        to = [f"{n}@served.example" for n in range(5)]
        r.send(BODY, to=to)
        r.wait_empty()
        last.wait_empty()
        self.assertEqual(sorted(a for m in self.hop.messages
                                for a in m.recipients), to)
        self.assertNotIn(" 4.5.3 ", last.log())


if __name__ == "__main__":
    basics.main()
