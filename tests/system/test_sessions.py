"""What smtpd keeps over many commands: pairing of replies, order, state.
Single dialogues are in wire/*.txt."""
import os
import random
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, client, nexthop, relay

COMMANDS = [
    (b"NOOP\r\n", "2"), (b"RSET\r\n", "2"), (b"VRFY x\r\n", "2"),
    (b"HELP\r\n", "2"), (b"EHLO c.example\r\n", "2"), (b"WHAT\r\n", "5"),
    (b"MAIL FROM:<a@b.example>\r\n", "25"), (b"RCPT TO:<b@c.example>\r\n",
                                             "25"),
    (b"RCPT TO:<b@@c>\r\n", "5"), (b"MAIL FROM:<\r\n", "5"),
    (b"DATA x\r\n", "5"), (b"EHLO\r\n", "5"), (b"\r\n", "5"),
    (b"BDAT 3\r\nx\r\n", "25"), (b"AUTH PLAIN\r\n", "5"), (b"STARTTLS\r\n", "5"),
    (b"EXPN x\r\n", "5"), (b"HELO c.example\r\n", "2"), (b"NOOP x\r\n", "2"),
]
EXTENSIONS = {"PIPELINING", "SIZE", "8BITMIME", "CHUNKING", "DSN", "LIMITS",
              "SMTPUTF8", "BINARYMIME", "MT-PRIORITY", "DELIVERBY", "ETRN",
              "ENHANCEDSTATUSCODES"}


class Sessions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hop = nexthop.NextHop()
        cls.relay = relay.Relay(cls.hop.port,
                                limits={"errors": 1000000,
                                        "recipients": 100})

    @classmethod
    def tearDownClass(cls):
        cls.relay.stop()
        cls.relay.remove()
        cls.hop.close()

    def test_a_list_and_its_body_in_chunks(self):
        """BDAT-02, BDAT-10: many recipients, and a body that goes to the
        spool while it comes; a chunk too much is refused once."""
        many = [f"r{i}@list.example" for i in range(3000)]
        lines = b"".join(b"%06d %s\r\n" % (i, b"." * (i % 70))
                         for i in range(20000))
        content = b"Subject: list\r\n\r\n" + lines
        with nexthop.NextHop() as hop, relay.Relay(
                hop.port, limits={"recipients": 5000,
                                  "message": "2MiB"}) as r:
            with client.Client(r.port) as c:
                c.hello()
                c.expect("MAIL FROM:<a@sender.example>", 250)
                for at in range(0, len(many), 500):
                    some = many[at:at + 500]
                    c.send(b"".join(b"RCPT TO:<%s>\r\n" % a.encode()
                                    for a in some))
                    for _ in some:
                        self.assertEqual(c.reply().code, 250)
                for at in range(0, len(content), 300001):
                    chunk = content[at:at + 300001]
                    c.send(b"BDAT %d\r\n%s" % (len(chunk), chunk))
                    self.assertEqual(c.reply().code, 250)
                c.expect("BDAT 0 LAST", 250)
                c.expect("MAIL FROM:<a@sender.example>", 250)
                c.expect("RCPT TO:<b@served.example>", 250)
                chunk = b"x" * 1022 + b"\r\n"
                c.send(b"BDAT %d\r\n" % (1024 * 1500) + chunk * 1500)
                self.assertEqual(c.reply().code, 250)
                c.send((b"BDAT %d\r\n" % (1024 * 900) + chunk * 900) * 2)
                self.assertEqual([c.reply().code, c.reply().code],
                                 [552, 503])
                c.quit()
            r.wait_empty()
            got = sorted(a for m in hop.messages for a in m.recipients)
            self.assertEqual(got, sorted(many))
            for m in hop.messages:
                self.assertEqual(m.below, content)

    def test_pairing_of_replies(self):
        """S5321-37, -38, -39, PIPE-01, PIPE-02: each command gets one reply,
        in order, whatever the segments; 10,000 commands."""
        chance = random.Random(5321)
        for size in (0, 1, 3, 100):
            with self.relay.connect() as c:
                for _ in range(50):
                    group = [chance.choice(COMMANDS) for _ in range(50)]
                    c.send(b"".join(g[0] for g in group), size)
                    for text, classes in group:
                        reply = c.reply()
                        self.assertIn(str(reply.code)[0], classes,
                                      f"{text} {reply}")
                self.assertTrue(c.is_silent(0.05))

    def test_status_codes(self):
        """ESC-01, ESC-04: a status on every reply but the greeting's and
        the hellos'; also after HELO."""
        for hello in ("EHLO", "HELO"):
            with self.relay.connect() as c:
                reply = c.hello(verb=hello)
                self.assertEqual(reply.status, "")
                for text, _ in COMMANDS:
                    reply = c.command(text[:-2])
                    if not text.startswith((b"EHLO", b"HELO")):
                        self.assertTrue(reply.status, f"{text} {reply}")

    def test_extensions(self):
        """S5321-10, -11, -61, SIZE-01: exactly what works is offered."""
        with self.relay.connect() as c:
            self.assertEqual(set(c.extensions()), EXTENSIONS)

    def test_replies_come_when_input_runs_dry(self):
        """PIPE-03, PIPE-04: a group that stops in the middle of a command has
        the replies to the whole commands before it at once."""
        with self.relay.connect() as c:
            c.hello()
            c.send(b"RSET\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<b@served.e")
            start = time.monotonic()
            self.assertEqual(c.reply().code, 250)
            self.assertEqual(c.reply().code, 250)
            self.assertLess(time.monotonic() - start, 0.2)
            c.send(b"xample>\r\n")
            self.assertEqual(c.reply().code, 250)

    def test_recipient_limit(self):
        """S5321-48, -49: a hundred are taken, the next gets 452, the hundred
        get the mail, in one transaction."""
        seen = len(self.hop.messages)
        with self.relay.connect() as c:
            c.hello()
            c.expect("MAIL FROM:<a@sender.example>", 250)
            for i in range(100):
                c.expect(f"RCPT TO:<r{i}@served.example>", 250)
            c.expect("RCPT TO:<r100@served.example>", "452")
            self.assertEqual(c.content(b"x\r\n").code, 250)
        basics.wait_for("delivery", lambda: len(self.hop.messages) > seen)
        self.assertEqual(self.hop.messages[seen].recipients,
                         [f"r{i}@served.example" for i in range(100)])

    def test_long_arguments_are_not_echoed(self):
        """S5321-40: no reply line is longer than 512 octets."""
        with self.relay.connect() as c:
            for verb in ("EHLO ", "HELO ", "MAIL FROM:<", "RCPT TO:<",
                         "VRFY ", "XXXX"):
                c.command(verb + "q" * 480)
                c.command(verb + "q" * 480 + "@" + "z" * 490)

    def test_dropped_connection(self):
        """S5321-30: ends the open transaction and not the one before."""
        seen = len(self.hop.messages)
        c = self.relay.connect()
        c.hello()
        c.mail("a@sender.example", ["kept@served.example"], b"kept\r\n")
        c.expect("MAIL FROM:<a@sender.example>", 250)
        c.expect("RCPT TO:<lost@served.example>", 250)
        c.expect("DATA", 354)
        c.send(b"half a mess")
        c.reset()
        self.relay.wait_empty()
        self.assertEqual([m.recipients for m in self.hop.messages[seen:]],
                         [["kept@served.example"]])

    def test_half_close(self):
        """All that was said before the client's side closed is answered."""
        with self.relay.connect() as c:
            c.hello()
            c.send(b"NOOP\r\nRSET\r\nMAIL FROM:<a@b.example>\r\n")
            c.socket.shutdown(1)
            self.assertEqual([c.reply().code for _ in range(3)], [250] * 3)
            self.assertTrue(c.is_closed())

    def test_trace_field(self):
        """S5321-63, -64, -66, -77, SPAM-02: from, by, with, id, date; no
        second recipient in it."""
        seen = len(self.hop.messages)
        with self.relay.connect() as c:
            c.hello("name.client.example")
            queue_id = c.mail("a@sender.example",
                              ["x@served.example", "bcc@served.example"],
                              b"Subject: trace\r\n\r\n")
            c.hello("name.client.example", "HELO")
            c.mail("a@sender.example", ["x@served.example"], b"x\r\n")
        basics.wait_for("both", lambda: len(self.hop.messages) >= seen + 2)
        both = sorted(self.hop.messages[seen:],
                      key=lambda m: len(m.recipients), reverse=True)
        trace = both[0].trace.decode("ascii")
        for pattern in (
                r"\AReceived: from name\.client\.example \(.*\[127\.0\.0\.1\]",
                r"by relay\.example\.org", r"with ESMTP\b",
                rf"\bid {queue_id}\b",
                r"; *\s(\w{3}, )?\d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d "
                r"[+-]\d{4}( \(\w+\))?\r\n\Z"):
            self.assertRegex(trace, pattern)
        self.assertNotIn("bcc@", trace)
        self.assertRegex(both[1].trace.decode("ascii"), r"with SMTP\b")

    def test_refusals_are_logged(self):
        """SPAM-03"""
        with self.relay.connect("127.0.0.3") as c:
            c.hello("stranger.example")
            c.command("MAIL FROM:<spam@sender.example>")
            self.assertEqual(c.command("RCPT TO:<x@foreign.example>").code,
                             550)
        self.relay.wait_log("to=<x@foreign.example>")
        line = next(line for line in self.relay.log().splitlines()
                    if "to=<x@foreign.example>" in line)
        for word in (" rejected ", "stage=RCPT", "550 5.7.1",
                     "from=<spam@sender.example>", "127.0.0.3",
                     "helo=stranger.example"):
            self.assertIn(word, line)

    def test_hops(self):
        """S5321-73, T22: 99 Received fields pass, 101 are a loop."""
        field = b"Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
        with self.relay.connect() as c:
            c.hello()
            c.mail("a@sender.example", ["b@served.example"],
                   field * 99 + b"\r\nx\r\n")
            c.expect("MAIL FROM:<a@sender.example>", 250)
            c.expect("RCPT TO:<b@served.example>", 250)
            reply = c.content(field * 101 + b"\r\nx\r\n")
            self.assertEqual((reply.code, reply.status), (554, "5.4.6"))
            # fields that only look like it, and lines of the body
            c.mail("a@sender.example", ["b@served.example"],
                   b"X-Received: x\r\n" * 150 + b"\r\n" + field * 150)

    def test_header_injection(self):
        """T16, MSG-06, MSG-04: what a client says of itself cannot add a
        field to the message."""
        names = ("a b", "x\ty", "[1.2.3.4", "a;b", "\x01\x1b[31m", "q" * 480,
                 "(", ")", "a\\", "\xff\xfe", "x\x0bSubject: injected",
                 "(((", "a\rSubject: injected")
        for name in names:
            seen = len(self.hop.messages)
            with self.subTest(name=name), self.relay.connect() as c:
                if c.command(f"EHLO {name}").code != 250:
                    continue
                c.mail("a@sender.example", ["b@served.example"],
                       b"Subject: mine\r\n\r\nx\r\n")
                basics.wait_for("it", lambda: len(self.hop.messages) > seen)
                message = self.hop.messages[seen]
                self.assertEqual(message.below,
                                 b"Subject: mine\r\n\r\nx\r\n")
                self.assertRegex(message.trace,
                                 rb"\A([ -~]|\r\n[ \t]+[!-~])*\r\n\Z")
                self.assertTrue(all(len(line) <= 998 for line in
                                    message.trace.split(b"\r\n")))

    def test_log_injection(self):
        """T17: one record an event, printable ASCII, bounded."""
        with self.relay.connect() as c:
            c.command("EHLO a\x1b[31m\x07")
            c.hello()
            c.command("MAIL FROM:<x\x1b]0;evil@sender.example>")
            c.command("MAIL FROM:<" + "\x7f" * 300 + "@sender.example>")
            c.expect('MAIL FROM:<"a b\\"c"@sender.example>', 250)
            c.command('RCPT TO:<"x=y z\\\\"@nowhere..example>')
            c.command("RCPT TO:<b@\xe2\x80\xaeexample>")
        for line in self.relay.log().splitlines():
            self.assertRegex(line, r"\A\d{4}-\d\d-\d\dT[ -~]*\Z")
            self.assertLessEqual(len(line), 2048)

    def test_early_talker(self):
        """T08: whoever speaks before the greeting is refused, or at least
        answered in order."""
        c = self.relay.connect(has_greeting=False)
        c.send(b"EHLO early.example\r\nNOOP\r\n")
        first = c.reply()
        self.assertIn(first.code, (220, 554))
        if first.code == 220:
            self.assertEqual([c.reply().code, c.reply().code], [250, 250])
        c.close()


if __name__ == "__main__":
    basics.main()
