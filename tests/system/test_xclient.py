"""XCLIENT from named clients: swaks, and scripted ones.  XCL-01 to -08"""
import json
import os
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, relay

STRANGER = "192.0.2.77"
SIX = "2001:db8::77"
FILTER = "127.0.0.9"            # may say XCLIENT, and is no client of ours


class XClient(unittest.TestCase):
    def setUp(self):
        self.hop = nexthop.NextHop()
        self.addCleanup(self.hop.close)
        self.relay = relay.Relay(self.hop.port, start=False, limits={
            "messages_rate": "2/1h"})
        self.addCleanup(self.relay.remove)
        self.relay.configure(listeners=[{
            "address": f"127.0.0.1:{self.relay.port}",
            "xclient": ["127.0.0.1/32", f"{FILTER}/32"]}])
        self.relay.start()

    def finish(self):
        self.relay.wait_empty()
        self.relay.stop()

    def swaks(self, *words):
        return subprocess.run(
            ["swaks", "--server", f"127.0.0.1:{self.relay.port}", "--from",
             "ann@sender.example", "--helo", "client.example", *words],
            capture_output=True, text=True, stdin=subprocess.DEVNULL,
            check=False, timeout=basics.PATIENCE)

    @unittest.skipUnless(shutil.which("swaks"), "no swaks")
    def test_swaks(self):
        """A client of ours plays a stranger, who may not relay; trace and log
        have the stranger."""
        who = f"ADDR={STRANGER} NAME=spike.example HELO=spike PORT=4711"
        p = self.swaks("--to", "bob@served.example", "--xclient", who)
        self.assertEqual(p.returncode, 0, p.stdout[-2000:])
        p = self.swaks("--to", "bob@elsewhere.example", "--xclient", who)
        self.assertEqual(p.returncode, 24, p.stdout[-2000:])
        p = self.swaks("--to", "bob@elsewhere.example")
        self.assertEqual(p.returncode, 0, p.stdout[-2000:])
        p = self.swaks("--to", "bob@served.example", "--xclient-addr",
                       f"IPV6:{SIX}", "--xclient-name", "[UNAVAILABLE]")
        self.assertEqual(p.returncode, 0, p.stdout[-2000:])
        self.relay.wait_empty()
        traces = b"\n".join(m.content for m in self.hop.messages).decode()
        self.assertIn(f"from client.example (spike.example [{STRANGER}])",
                      traces)
        self.assertIn(f"(unknown [IPv6:{SIX}])", traces)
        self.finish()
        log = self.relay.log()
        self.assertRegex(log, f" xclient by=127.0.0.1 client={STRANGER} "
                         "port=4711 name=spike.example")
        self.assertRegex(log, f" rejected .* client={STRANGER} ")

    def test_dialogue(self):
        """A stranger that is named here plays one of ours; others may not;
        places and rates are counted for whom they are."""
        with self.relay.connect(source=FILTER) as c:
            self.assertIn("XCLIENT", c.extensions())
            c.expect("XCLIENT ADDR=127.0.0.1 LOGIN=ann", 220)
            c.expect("MAIL FROM:<a@sender.example>", 503)
            c.hello()
            for _ in range(4):          # ours have no rates
                c.mail("a@sender.example", ["b@elsewhere.example"],
                       b"Subject: x\r\n\r\nx\r\n")
            c.expect(f"XCLIENT ADDR={STRANGER}", 220)
            c.hello()
            for _ in range(2):
                c.mail("a@sender.example", ["b@served.example"],
                       b"Subject: x\r\n\r\nx\r\n")
            c.expect("MAIL FROM:<a@sender.example>", 450)
            c.expect("XCLIENT ADDR=192.0.2.78", 220)
            c.hello()
            c.expect("MAIL FROM:<a@sender.example>", 250)
            c.expect("XCLIENT ADDR=127.0.0.1", 503)
            c.quit()
        with self.relay.connect(source="127.0.0.10") as c:
            self.assertNotIn("XCLIENT", c.extensions())
            c.expect("XCLIENT ADDR=127.0.0.1", 550)
            c.expect("MAIL FROM:<a@sender.example>", 250)
            c.expect("RCPT TO:<b@elsewhere.example>", 550)
        self.finish()
        self.assertIn(" login=ann", self.relay.log())

    def test_hostile(self):
        """T16, T17: what is told of a client cannot add a field to the trace
        or a record to the log, and does not end a comment."""
        self.relay.stop()
        self.relay.configure(log={"format": "json"})
        self.relay.start()
        good = ("NAME=a)+28b;c\"d\\", "NAME=" + "x" * 255,
                "NAME=%s%n", "HELO=e)+20(+20id+20f;+20Mon", "LOGIN=g+22+7Bh+7D",
                "LOGIN=" + "y" * 255)
        bad = ("NAME=a+0D+0AX:+20b", "HELO=a+0Ab", "LOGIN=a+1B[2J",
               "NAME=a+00", "LOGIN=+E2+80+AE", "HELO=" + "z" * 256)
        for words in bad:
            with self.relay.connect() as c:
                c.expect(f"XCLIENT {words}", 501)
        for words in good:
            with self.relay.connect() as c:
                c.expect(f"XCLIENT ADDR={STRANGER} {words}", 220)
                c.hello()
                c.expect("XCLIENT ADDR=127.0.0.1", 220)
                c.hello("x.example") if "HELO" not in words else None
                if "HELO" in words:
                    c.expect(f"XCLIENT {words}", 220)
                c.mail("a@sender.example", ["b@served.example"],
                       b"Subject: x\r\n\r\nx\r\n")
        self.relay.wait_empty()
        self.assertEqual(len(self.hop.messages), len(good))
        for m in self.hop.messages:
            head = m.content.partition(b"\r\n\r\n")[0].decode("ascii")
            fields = re.findall(r"(?m)^[A-Za-z-]+:", head)
            self.assertEqual(fields, ["Received:", "Subject:"])
            field = head.split("\r\n")[0]
            self.assertEqual((field.count("("), field.count(")"),
                              field.count(";")), (1, 1, 0), field)
        self.finish()
        told = 0
        for line in self.relay.log().splitlines():
            if line.startswith("{"):
                told += json.loads(line)["event"] == "xclient"
                self.assertLessEqual(len(line), 2048)
                self.assertTrue(line.isascii() and line.isprintable())
        self.assertEqual(told, 2 * len(good) + 1)

    def test_pipelined(self):
        """What follows in the same piece is said by the new client."""
        with self.relay.connect() as c:
            c.send(f"EHLO a\r\nXCLIENT ADDR={STRANGER}\r\nEHLO b\r\n"
                   "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@else.example>\r\n"
                   "QUIT\r\n")
            self.assertEqual([c.reply().code for _ in range(6)],
                             [250, 220, 250, 250, 550, 221])
        self.finish()


if __name__ == "__main__":
    basics.main()
