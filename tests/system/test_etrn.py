"""A client with a part-time line calls for its mail (RFC 1985)."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, relay, submission

LATER = b"450 4.2.0 later\r\n"


class Etrn(unittest.TestCase):
    def setUp(self):
        self.hop = nexthop.NextHop(RCPT=LATER)
        self.addCleanup(self.hop.close)
        self.relay = relay.Relay(self.hop.port, queue={
            "first_retry": "1h", "max_retry": "1h"}, start=False)
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)
        self.submission = submission.Submission(self.relay)
        self.relay.start()

    def send(self, to, words=""):
        with self.relay.connect() as c:
            c.hello()
            c.expect(f"MAIL FROM:<s@sender.example>{words}", 250)
            c.expect(f"RCPT TO:<{to}>", 250)
            self.assertEqual(c.content(b"Subject: x\r\n\r\nx\r\n").code,
                             250)

    def call(self, node):
        with self.relay.connect() as c:
            c.hello()
            c.expect(f"ETRN {node}", 250)

    def arrived(self):
        return sorted(m.recipients[0] for m in self.hop.messages)

    def test_what_waits_is_tried(self):
        """Of the domain, or of all below it, and of no other; not what its
        sender put off, nor what an operator holds."""
        for to in ("a@served.example", "b@x.served.example",
                   "c@other.example", "d@served.example"):
            self.send(to)
        self.relay.wait_count(4, "state:deferred")
        basics.wait_for("all tried", lambda: self.relay.log().count(
            " deferred ") >= 4)
        self.relay.ctl("queue", "hold", "to:d@served.example")
        self.submission.send("HOLDFOR=3600", to="e@served.example")
        self.hop.script.pop("RCPT")
        self.call("served.example")
        basics.wait_for("one", lambda: self.hop.messages)
        self.relay.wait_count(4)
        self.assertEqual(self.arrived(), ["a@served.example"])
        self.call("@served.example")
        self.relay.wait_count(3)
        self.assertEqual(self.arrived(), ["a@served.example",
                                          "b@x.served.example"])
        self.assertEqual(self.relay.log().count(" called "), 2)
        # calls leave nothing behind: operators find their places
        for _ in range(40):
            self.call("nobody.example")
        self.assertEqual(self.relay.count("to:c@other.example"), 1)

    def test_who_may(self):
        """ETRN-01: relay.etrn, for all domains; users, for relay.domains."""
        for to in ("a@served.example", "b@other.example"):
            self.send(to)
        self.relay.wait_count(2, "state:deferred")
        basics.wait_for("all tried", lambda: self.relay.log().count(
            " deferred ") >= 2)
        self.relay.configure(relay={"etrn": ["127.0.0.9"]})
        self.relay.ctl("reload")
        with self.relay.connect() as c:
            self.assertNotIn("ETRN", c.hello().text)
            c.expect("ETRN served.example", 459)
        self.hop.script.pop("RCPT")
        with self.submission.connect() as s:
            self.assertTrue(s.has_extn("etrn"))
            self.assertEqual(s.docmd("ETRN other.example")[0], 459)
            self.assertEqual(s.docmd("ETRN served.example")[0], 250)
        self.relay.wait_count(1)
        self.assertEqual(self.arrived(), ["a@served.example"])
        with self.relay.connect(source="127.0.0.9") as c:
            self.assertIn("ETRN", c.hello().text)
            c.expect("ETRN other.example", 250)
        self.relay.wait_empty()


if __name__ == "__main__":
    basics.main()
