"""Mail that is put off by its sender (RFC 4865), from EHLO to its delivery."""
import datetime
import os
import re
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, relay

BODY = b"Subject: x\r\n\r\nbody\r\n"


class Release(unittest.TestCase):
    def setUp(self):
        self.hop = nexthop.NextHop(EHLO=(
            b"250-h\r\n250-FUTURERELEASE 9999 2099-01-01T00:00:00Z\r\n"
            b"250 PIPELINING\r\n"))
        self.addCleanup(self.hop.close)
        self.relay = relay.Relay(self.hop.port, limits={"hold": "1h"})
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)

    def send(self, words, to="a@served.example"):
        with self.relay.connect() as c:
            c.hello()
            c.expect(f"MAIL FROM:<s@sender.example> {words}", 250)
            c.expect(f"RCPT TO:<{to}>", 250)
            reply = c.content(BODY)
            self.assertEqual(reply.code, 250)
            return reply.text.split()[-1]

    def test_what_is_offered(self):
        """FR-01: the longest interval, and the moment at its end."""
        with self.relay.connect() as c:
            line, = [x for x in c.command("EHLO c").text.split("\n")
                     if x.startswith("FUTURERELEASE")]
            word = re.fullmatch(r"FUTURERELEASE 3600 (\S+)", line).group(1)
            at = datetime.datetime.strptime(word + "+0000",
                                            "%Y-%m-%dT%H:%M:%SZ%z")
            self.assertAlmostEqual(at.timestamp(), time.time() + 3600,
                                   delta=60)
            c.expect("MAIL FROM:<> HOLDFOR=3601", 501)
        self.relay.configure(limits={"hold": "0s"})
        self.relay.ctl("reload")
        with self.relay.connect() as c:
            self.assertNotIn("FUTURERELEASE", c.command("EHLO c").text)
            c.expect("MAIL FROM:<> HOLDFOR=1", 555)

    def test_it_leaves_at_its_time(self):
        """FR-02, FR-03: not before, also when queued is killed meanwhile;
        and the next hop hears nothing of it."""
        begun = time.time()
        until = datetime.datetime.fromtimestamp(
            int(begun) + 5, datetime.timezone.utc)
        ids = [self.send("HOLDFOR=4"),
               self.send(f"HOLDUNTIL={until:%Y-%m-%dT%H:%M:%SZ}",
                         "b@served.example")]
        now = self.send("HOLDUNTIL=2020-01-01T00:00:00Z", "c@served.example")
        basics.wait_for("the third", lambda: self.hop.messages)
        self.assertEqual(self.hop.messages[0].recipients,
                         ["c@served.example"])
        self.assertNotIn(now, [r["id"] for r in self.relay.list()])
        rows = {r["id"]: r for r in self.relay.list()}
        self.assertEqual(set(rows), set(ids))
        self.assertEqual({r["state"] for r in rows.values()}, {"deferred"})
        self.assertIn("its sender asked that delivery begin later",
                      self.relay.ctl("message", "explain", ids[0]))
        self.relay.kill("queued")
        self.relay.wait_empty()
        self.assertGreaterEqual(time.time(), begun + 4)
        for m in self.hop.messages[1:]:
            self.assertEqual(m.below, BODY)
        for s in self.hop.sessions:
            self.assertNotIn("HOLD", "".join(s.lines))


if __name__ == "__main__":
    basics.main()
