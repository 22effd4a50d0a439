"""Binary mail (RFC 3030 section 3), from client to next hop and back."""
import os
import random
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, relay, report

BINARY = (b"250-h\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-CHUNKING\r\n"
          b"250 BINARYMIME\r\n")
HEADER = (b"Subject: b\r\nContent-Type: application/octet-stream\r\n"
          b"Content-Transfer-Encoding: binary\r\n\r\n")


class Binary(unittest.TestCase):
    def setUp(self):
        self.hop = nexthop.NextHop()
        self.addCleanup(self.hop.close)
        self.relay = relay.Relay(self.hop.port)
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)

    def send(self, content, pieces=1, recipients=("a@served.example",)):
        """In so many chunks."""
        with self.relay.connect() as c:
            c.hello()
            c.expect("MAIL FROM:<s@sender.example> BODY=BINARYMIME", 250)
            for r in recipients:
                c.expect(f"RCPT TO:<{r}>", 250)
            size = len(content) // pieces
            for i in range(pieces):
                end = len(content) if i == pieces - 1 else (i + 1) * size
                part = content[i * size:end]
                last = b" LAST" if i == pieces - 1 else b""
                c.send(b"BDAT %d%s\r\n" % (len(part), last) + part)
                self.assertEqual(c.reply().code, 250)

    def test_octet_by_octet(self):
        """BDAT-07, BDAT-09, T02, T03: small ones and large ones, also after
        a restart; nothing is stuffed, mended or added."""
        dice = random.Random(1)
        contents = [HEADER + b"\r\0\n.\r\n.\r\n\n.\n" + bytes(range(256)),
                    HEADER + dice.randbytes(2000000), HEADER + b"\r"]
        self.hop.script = {"EHLO": BINARY, "MAIL": b"450 4.2.0 later\r\n"}
        for i, content in enumerate(contents):
            self.send(content, i + 1)
        basics.wait_for("an attempt", lambda: self.hop.sessions)
        self.relay.stop()
        self.relay.start()
        self.hop.script.pop("MAIL")
        self.relay.wait_empty()
        self.assertEqual({m.below for m in self.hop.messages},
                         set(contents))
        for s in self.hop.sessions:
            for line in s.lines:
                if line.startswith("MAIL"):
                    self.assertIn(" BODY=BINARYMIME", line)
                self.assertNotEqual(line, "DATA")

    def test_returned(self):
        """BDAT-09: a hop without it gets nothing of it where nothing is to
        be converted; the report has the header alone, for no text can hold
        the rest."""
        self.relay.configure(deliver={"eight_bit": "return"})
        self.relay.ctl("reload")
        self.send(HEADER + b"a\0\nb\r")
        self.relay.wait_empty()
        m, = self.hop.messages
        self.assertEqual(m.recipients, ["s@sender.example"])
        found = report.Report(m)
        self.assertEqual(found.groups[0]["Status"], "5.6.3")
        self.assertEqual(found.returned.get_content_type(),
                         "text/rfc822-headers")
        for s in self.hop.sessions:
            self.assertNotIn("MAIL FROM:<s@", "".join(s.lines))

    def test_refused_there(self):
        """A refusal by a host that could take it is told without it, too."""
        self.hop.script = {
            "EHLO": BINARY, "RCPT": lambda text, _: b"550 5.1.1 no\r\n"
            if "@served" in text else None}
        self.send(HEADER + b"a\0\nb\r")
        self.relay.wait_empty()
        m, = self.hop.messages
        found = report.Report(m)
        self.assertEqual(found.groups[0]["Status"], "5.1.1")
        self.assertEqual(found.returned.get_content_type(),
                         "text/rfc822-headers")


if __name__ == "__main__":
    basics.main()
