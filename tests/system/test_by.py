"""Until when a message is of use (RFC 2852): passed on, obeyed, told of."""
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, relay, report

BODY = b"Subject: x\r\n\r\nbody\r\n"
BY = b"250-h\r\n250-PIPELINING\r\n250-DSN\r\n250 DELIVERBY\r\n"
NO_BY = b"250-h\r\n250-DSN\r\n250 PIPELINING\r\n"


class By(unittest.TestCase):
    def setUp(self):
        self.hop = nexthop.NextHop()
        self.addCleanup(self.hop.close)
        self.relay = relay.Relay(self.hop.port, queue={
            "first_retry": "2s", "max_retry": "2s"})
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)

    def send(self, words, notify=""):
        with self.relay.connect() as c:
            c.hello()
            c.expect(f"MAIL FROM:<s@sender.example> {words}", 250)
            c.expect(f"RCPT TO:<a@served.example>{notify}", 250)
            self.assertEqual(c.content(BODY).code, 250)

    def reports(self):
        return [report.Report(m) for m in self.hop.messages
                if m.recipients == ["s@sender.example"]]

    def said(self):
        return [re.search(r" BY=(\S+)", line) for s in self.hop.sessions
                for line in s.lines if line.startswith("MAIL FROM:<s@")]

    def test_passed_on(self):
        """BY-03: with the time that is left, also after a restart."""
        self.hop.script = {"EHLO": BY, "RCPT": b"450 4.2.0 later\r\n"}
        self.send("BY=100;R")
        basics.wait_for("an attempt", self.said)
        self.relay.stop()
        self.relay.start()
        basics.wait_for("another", lambda: len(self.said()) > 1)
        self.hop.script.pop("RCPT")
        self.relay.wait_empty()
        times = [int(re.fullmatch(r"(\d+);R", m.group(1)).group(1))
                 for m in self.said()]
        self.assertLessEqual(times[0], 100)
        self.assertLess(times[-1], times[0])
        self.assertEqual(self.reports(), [])

    def test_returned(self):
        """BY-02: it could not be delivered in time."""
        self.hop.script = {
            "EHLO": BY, "RCPT": lambda text, _: b"450 4.2.0 later\r\n"
            if "@served" in text else None}
        self.send("BY=3;R")
        self.relay.wait_empty()
        found, = self.reports()
        self.assertEqual(found.groups[0]["Action"], "failed")
        self.assertEqual(found.groups[0]["Status"], "5.4.7")

    def test_told(self):
        """BY-02: N is told of, and goes on."""
        self.hop.script = {
            "EHLO": BY, "RCPT": lambda text, _: b"450 4.2.0 later\r\n"
            if "@served" in text else None}
        self.send("BY=1;N")
        found, = basics.wait_for("a report", self.reports)
        self.assertEqual(found.groups[0]["Action"], "delayed")
        self.assertEqual(found.groups[0]["Status"], "4.4.7")
        self.assertEqual(self.relay.count("to:a@served.example"), 1)
        self.hop.script.pop("RCPT")
        self.relay.wait_empty()
        self.assertEqual(len(self.reports()), 1)

    def test_hops_without(self):
        """BY-04: R comes back, of N the sender hears that it was passed
        on."""
        self.hop.script = {"EHLO": NO_BY}
        self.send("BY=100;R")
        self.relay.wait_empty()
        found, = self.reports()
        self.assertEqual(found.groups[0]["Action"], "failed")
        self.assertEqual(found.groups[0]["Status"], "5.3.3")
        self.assertEqual(self.said(), [])
        self.send("BY=100;N")
        self.relay.wait_empty()
        found = self.reports()[1]
        self.assertEqual(found.groups[0]["Action"], "relayed")
        self.assertIn("Deliver-By-Date", found.about)
        self.send("BY=100;N", " NOTIFY=FAILURE")
        self.relay.wait_empty()
        self.assertEqual(self.reports()[2].groups[0]["Action"], "relayed")
        self.send("BY=100;N", " NOTIFY=NEVER")
        # of one that is late its sender hears that, and nothing else
        self.send("BY=-1;N", " NOTIFY=FAILURE")
        self.relay.wait_empty()
        self.assertEqual(len(self.reports()), 3)
        words = [line.split(">", 1)[1] for s in self.hop.sessions
                 for line in s.lines if line.startswith("RCPT TO:<a@")]
        self.assertEqual(words, [" NOTIFY=FAILURE,DELAY"] +
                         [" NOTIFY=FAILURE,DELAY", " NOTIFY=NEVER",
                          " NOTIFY=FAILURE"])


if __name__ == "__main__":
    basics.main()
