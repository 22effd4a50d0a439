"""What a next hop offers in its EHLO is used, and kept to."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, exim, exim_hop, nexthop, postfix, relay

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


class Chunking(Case):
    """RFC 3030: where it spares something, and octet by octet."""
    DOTS = b"Subject: x\r\n\r\n.\r\n..a\r\nna\xc3\xafve\r\n.\r\n"

    def send_chunk(self, r, content):
        with r.connect() as c:
            c.hello()
            c.expect("MAIL FROM:<s@sender.example> BODY=8BITMIME", 250)
            c.expect("RCPT TO:<a@served.example>", 250)
            c.send(b"BDAT %d LAST\r\n" % len(content) + content)
            self.assertEqual(c.reply().code, 250)

    def test_where(self):
        """BDAT-07, BDAT-12: not where DATA does as well."""
        r = self.relay()
        for words, content, verb in (
                ((b"CHUNKING",), BODY, "DATA"),
                ((b"CHUNKING",), self.DOTS, "BDAT"),
                ((b"SIZE", b"CHUNKING"), self.DOTS, "BDAT"),
                ((), self.DOTS, "DATA")):
            self.hop.script["EHLO"] = ehlo(*words)
            self.send_chunk(r, content)
            r.wait_empty()
            m = self.hop.messages.pop()
            self.assertEqual(m.below, content)
            self.assertEqual(m.session.stages[3], verb)
            if b"SIZE" in words:
                self.assertIn(f" SIZE={len(m.content)}", m.session.lines[1])
            if verb == "BDAT":
                self.assertEqual(m.session.lines[3],
                                 f"BDAT {len(m.content)} LAST")
            r.stop()                    # the next one has a session anew
            r.start()

    def test_lockstep(self):
        """It takes the place of DATA and its reply."""
        self.hop.script["EHLO"] = b"250-h\r\n250 CHUNKING\r\n"
        r = self.relay()
        r.send(BODY)
        r.wait_empty()
        m, = self.hop.messages
        self.assertEqual(m.below, BODY)
        self.assertEqual(m.session.stages[:4], ["EHLO", "MAIL", "RCPT",
                                                "BDAT"])

    def test_large(self):
        """More than is ever in memory."""
        self.hop.script["EHLO"] = ehlo(b"CHUNKING")
        r = self.relay()
        content = b"Subject: x\r\n\r\n" + b".x\r\n" * 500000
        r.send(content)
        r.wait_empty(60)
        m, = self.hop.messages
        self.assertEqual(m.session.stages[3], "BDAT")
        self.assertTrue(m.below == content)

    def test_refused(self):
        self.hop.script.update(EHLO=ehlo(b"CHUNKING"), dot=[
            b"452 4.2.2 later\r\n", b"250 ok\r\n"])
        r = self.relay()
        r.send(self.DOTS)
        basics.wait_for("a first attempt", lambda: self.hop.dotted)
        r.retry()
        r.wait_empty()
        self.assertEqual([m.below for m in self.hop.dotted], [self.DOTS] * 2)

    @unittest.skipUnless(postfix.is_there(), "no private Postfix, no root")
    def test_postfix(self):
        with postfix.Postfix(
                relayhost=f"[127.0.0.1]:{self.hop.port}") as p:
            r = self.relay(p.port)
            for content in (self.DOTS, b"." * 900 + b"\r\n" + self.DOTS):
                r.send(b"A: b\r\n" + content)
                r.wait_empty()
                basics.wait_for("it comes out", lambda: self.hop.messages)
                m = self.hop.messages.pop()
                self.assertTrue(m.content.endswith(content))
            r.stop()
            basics.wait_for("it was by BDAT",
                            lambda: " bdat=2 " in p.log_text())

    @unittest.skipUnless(exim.is_there(), "no private Exim, no root")
    def test_exim(self):
        with exim_hop.Exim() as e:
            r = self.relay(e.port)
            r.send(self.DOTS)
            r.wait_empty()
            basics.wait_for("it is filed", lambda: e.messages)
            got, = e.messages
            self.assertTrue(got.rstrip().endswith(self.DOTS.rstrip()), got)


if __name__ == "__main__":
    basics.main()
