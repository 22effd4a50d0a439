"""Mail that is put off by its sender (RFC 4865), from EHLO to its delivery."""
import datetime
import email.utils
import os
import re
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, relay, report, submission

BODY = b"Subject: x\r\n\r\nbody\r\n"


class Release(unittest.TestCase):
    def setUp(self):
        self.hop = nexthop.NextHop(EHLO=(
            b"250-h\r\n250-FUTURERELEASE 9999 2099-01-01T00:00:00Z\r\n"
            b"250 PIPELINING\r\n"))
        self.addCleanup(self.hop.close)
        self.relay = relay.Relay(self.hop.port, limits={"hold": "1h"},
                                 start=False)
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)
        self.submission = submission.Submission(self.relay)
        self.relay.start()

    def send(self, words, to="a@served.example"):
        return self.submission.send(words, to=to)

    def test_what_is_offered(self):
        """FR-01: the longest interval, and the moment at its end; to users
        who submit, and to nobody elsewhere (RFC 4865 4.2)."""
        with self.submission.connect() as s:
            word = re.fullmatch(r"3600 (\S+)",
                                s.esmtp_features["futurerelease"]).group(1)
            at = datetime.datetime.strptime(word + "+0000",
                                            "%Y-%m-%dT%H:%M:%SZ%z")
            self.assertAlmostEqual(at.timestamp(), time.time() + 3600,
                                   delta=60)
            self.assertEqual(s.docmd("MAIL FROM:<> HOLDFOR=3601")[0], 501)
        with self.relay.connect() as c:
            self.assertNotIn("FUTURERELEASE", c.command("EHLO c").text)
            c.expect("MAIL FROM:<> HOLDFOR=1", 555)
        with self.submission.connect(self.relay.port) as s:
            self.assertFalse(s.has_extn("futurerelease"))
            self.assertEqual(s.docmd("MAIL FROM:<> HOLDFOR=1")[0], 555)
        self.relay.configure(limits={"hold": "0s"})
        self.relay.ctl("reload")
        with self.submission.connect() as s:
            self.assertFalse(s.has_extn("futurerelease"))
            self.assertEqual(s.docmd("MAIL FROM:<> HOLDFOR=1")[0], 555)

    def test_told_in_reports(self):
        """FR-04, BY-05: a report says what was asked for."""
        self.hop.script["RCPT"] = lambda text, _: b"550 5.1.1 no\r\n" \
            if "@served" in text else None
        self.send("HOLDFOR=1")
        self.send("HOLDFOR=1 BY=60;NT", "b@served.example")
        self.relay.wait_empty()
        found = sorted((report.Report(m) for m in self.hop.messages),
                       key=lambda r: r.groups[0]["Final-Recipient"])
        for r in found:
            self.assertEqual(r.about["Future-Release-Request"], "for;1")
            self.assertIn("Arrival-Date", r.about)
        self.assertIsNone(found[0].about["Deliver-By-Date"])
        arrived, until = (email.utils.parsedate_to_datetime(
            found[1].about[name]) for name in
            ("Arrival-Date", "Deliver-By-Date"))
        self.assertAlmostEqual((until - arrived).total_seconds(), 60,
                               delta=2)

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
            self.assertTrue(m.below.endswith(BODY), m.below)
        for s in self.hop.sessions:
            self.assertNotIn("HOLD", "".join(s.lines))


if __name__ == "__main__":
    basics.main()
