"""What deliverd says to a next hop, and what becomes of the replies
(RFC 5321 as a client: C5321-*)."""
import os
import random
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, relay

BODY = b"Subject: x\r\n\r\nbody\r\n"


class Delivery(unittest.TestCase):
    """One relay for all; each test changes what the next hop does."""

    @classmethod
    def setUpClass(cls):
        cls.hop = nexthop.NextHop()
        cls.relay = relay.Relay(cls.hop.port, queue={
            "first_retry": "1s", "max_retry": "1s"})

    @classmethod
    def tearDownClass(cls):
        cls.relay.stop()
        cls.relay.remove()
        cls.hop.close()

    def setUp(self):
        self.hop.script = {}
        self.relay.ctl("queue", "delete", "all", "--yes")
        self.sessions = len(self.hop.sessions)
        self.messages = len(self.hop.messages)

    @property
    def new_sessions(self):
        return self.hop.sessions[self.sessions:]

    @property
    def new_messages(self):
        return self.hop.messages[self.messages:]

    def fresh(self):
        """Waits until no idle connection is left from the test before."""
        self.relay.ctl("reload")
        basics.wait_for("idle connections end", lambda: all(
            s.is_over for s in self.hop.sessions))
        self.sessions = len(self.hop.sessions)

    def arrives(self, count=1):
        basics.wait_for(f"{count} messages arrive",
                        lambda: len(self.new_messages) >= count)
        return self.new_messages

    # -- the dialogue -------------------------------------------------------
    def test_hello_is_a_name(self):
        """C5321-13, C5321-12, PIPE-11: EHLO with our name; QUIT at the end."""
        self.fresh()
        self.relay.send()
        self.arrives()
        basics.wait_for("it ends", lambda: self.new_sessions[0].is_over)
        self.assertEqual(self.new_sessions[0].stages,
                         ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"])
        self.assertEqual(self.new_sessions[0].lines[0],
                         "EHLO relay.example.org")

    def test_falls_back_to_helo(self):
        """C5321-06, C5321-33: and then sends no parameters."""
        for code in (500, 501, 502, 550):
            with self.subTest(code=code):
                self.fresh()
                self.messages = len(self.hop.messages)
                self.hop.script = {"EHLO": b"%d 5.5.1 no\r\n" % code}
                self.relay.send()
                self.arrives()
                lines = self.new_sessions[0].lines
                self.assertEqual(lines[1], "HELO relay.example.org")
                self.assertEqual(lines[2], "MAIL FROM:<from@sender.example>")

    def test_no_helo_after_421(self):
        """C5321-07."""
        self.fresh()
        self.hop.script = {"EHLO": [b"421 4.3.2 later\r\n", None]}
        self.relay.send()
        self.arrives()
        self.assertNotIn("HELO", self.new_sessions[0].stages)

    def test_bare_and_multiline_replies(self):
        """C5321-08, -09, -10, PIPE-08: only the code counts."""
        self.fresh()
        self.hop.script = {
            "greeting": b"220-a\r\n220-500 b\r\n220 c\r\n",
            "MAIL": b"250\r\n", "RCPT": b"259-550 x\r\n259 y\r\n",
            "DATA": b"354-go\r\n354 on\r\n", "dot": b"250-a\r\n250\r\n"}
        self.relay.send()
        self.arrives()
        self.relay.wait_empty()
        self.assertEqual(len(self.new_messages), 1)

    def test_extensions_are_matched_whole(self):
        """C5321-33, -34: no parameter that was not offered, in any case of
        letters; a host's name is no keyword."""
        self.fresh()
        self.hop.script = {"EHLO": b"250-8bitmime.example SIZE\r\n"
                                   b"250-XSIZE 10\r\n250 pipelininG\r\n"}
        self.relay.send()
        self.arrives()
        self.assertEqual(self.new_sessions[0].lines[1],
                         "MAIL FROM:<from@sender.example>")
        self.fresh()
        self.hop.script = {"EHLO": b"250-h\r\n250 sIzE 1000000\r\n"}
        self.relay.send()
        self.arrives(2)
        size = int(re.search(r"SIZE=(\d+)", self.new_sessions[0].lines[1]
                             ).group(1))
        self.assertEqual(size, len(self.new_messages[1].content))   # SIZE-06

    def test_too_large_for_the_next_hop(self):
        """SIZE-06: returned, not retried."""
        self.fresh()
        self.hop.script = {"EHLO": b"250-h\r\n250 SIZE 50\r\n"}
        self.relay.send(sender="")
        self.relay.wait_empty()
        self.assertEqual(self.new_messages, [])
        self.assertNotIn("DATA", self.new_sessions[0].stages)

    def test_without_pipelining(self):
        """Strictly one command at a time."""
        self.fresh()
        early = []

        def watch(_, session):
            if session.pending:
                early.append(session.pending)

        self.hop.script = {"EHLO": b"250 hop.example\r\n", "MAIL": watch,
                           "RCPT": watch, "DATA": watch}
        for _ in range(5):
            self.relay.send(to=["a@served.example", "b@served.example"])
        self.arrives(5)
        self.assertEqual(early, [])

    def test_one_transaction_for_many(self):
        """C5321-39: recipients at one next hop share a transaction."""
        to = [f"r{i}@d{i % 3}.example" for i in range(60)]
        self.relay.send(to=to)
        self.relay.wait_empty()
        self.assertEqual(sorted(r for m in self.new_messages
                                for r in m.recipients), sorted(to))
        self.assertLessEqual(len(self.new_messages), 3)

    def test_connections_are_reused(self):
        self.fresh()
        for _ in range(30):
            self.relay.send()
        self.arrives(30)
        self.assertLessEqual(len(self.new_sessions), 5)

    # -- the content --------------------------------------------------------
    def test_dots_everywhere(self):
        """C5321-15, -16: also where buffers end."""
        chance = random.Random(15)
        bodies = []
        for start in (0, 1, 2, 3, 1000, 4094, 4095, 4096, 16383, 65534,
                      65535, 65536, 262143, 262144, 300000):
            body = b"a" * (start % 900)
            while len(body) < start:
                body += b"\r\n" + b"x" * min(900, start - len(body))
            body = body[:max(0, start - 2)] + b"\r\n" if start > 2 else b""
            bodies.append(body + b".\r\n..\r\n.a\r\n\r\n.\r\n")
        for _ in range(20):
            bodies.append(b"".join(chance.choice(
                (b".", b"..", b"\r\n", b"\r\n.", b"x" * 50, b"\x80"))
                for _ in range(500)) + b"\r\n")
        with self.relay.connect() as c:
            c.hello()
            for body in bodies:
                c.mail("a@sender.example", ["b@served.example"], body)
        self.arrives(len(bodies))
        self.assertEqual(sorted(m.below for m in self.new_messages),
                         sorted(bodies))
        for session in self.hop.sessions:       # C5321-14
            self.assertIsNone(re.search(rb"(?<!\r)\n|\r(?!\n)", session.raw))

    def test_large_messages(self):
        """Bodies that are files of their own, from several clients."""
        chance = random.Random(1)
        block = b"".join(bytes(chance.choice(b"abcdef.") for _ in range(76))
                         + b"\r\n" for _ in range(1000))
        bodies = [bytes([65 + i]) * 70 + b"\r\n" + block * (4 * i + 3)
                  for i in range(8)]
        for body in bodies:
            self.relay.send(body)
        self.arrives(len(bodies))
        self.relay.wait_empty()
        self.assertEqual(sorted(m.below for m in self.new_messages),
                         sorted(bodies))

    def test_no_8bitmime(self):
        """C5321-35, 8BIT-03: eight bits are never sent to a next hop that
        did not offer to take them; seven bits are, as they came."""
        self.fresh()
        self.hop.script = {"EHLO": b"250-h\r\n250 SIZE\r\n"}
        self.relay.send(b"Subject: x\r\n\r\nna\xc3\xafve\r\n", sender="")
        self.relay.send(b"Subject: \xe4\r\n\r\neight\r\n", sender="")
        self.relay.send(b"Subject: x\r\n\r\nseven\r\n", sender="")
        self.relay.wait_empty()
        seven, eight = sorted(m.below for m in self.new_messages)
        self.assertEqual(seven, b"Subject: x\r\n\r\nseven\r\n")
        self.assertTrue(eight.endswith(b"\r\n\r\nna=C3=AFve\r\n"), eight)
        self.relay.wait_log("5.6.3")

    def test_8bitmime(self):
        self.fresh()
        self.relay.send(b"Subject: x\r\n\r\nna\xc3\xafve\r\n")
        self.arrives()
        self.assertIn("BODY=8BITMIME", self.new_sessions[0].lines[1])

    def test_priority(self):
        """PRIO-03: told to a next hop that offers it, and to no other; kept
        over a restart in between."""
        self.fresh()
        self.hop.script = {"EHLO": b"250-h\r\n250 MT-PRIORITY MIXER\r\n",
                           "MAIL": b"450 4.2.0 later\r\n"}
        with self.relay.connect() as c:
            c.hello()
            c.mail("a@sender.example", ["b@served.example"], BODY,
                   " MT-PRIORITY=-4")
        basics.wait_for("the first attempt", lambda: self.new_sessions)
        self.relay.stop()
        self.relay.start()
        self.hop.script.pop("MAIL")
        self.arrives()
        self.relay.wait_empty()
        said = [line for s in self.new_sessions for line in s.lines
                if line.startswith("MAIL")]
        self.assertGreaterEqual(len(said), 2)
        for line in said:
            self.assertIn(" MT-PRIORITY=-4", line)
        # also where nobody said one: RFC 6710 4.2
        self.relay.send(BODY)
        self.arrives(2)
        self.assertIn(" MT-PRIORITY=0", "".join(self.new_sessions[-1].lines))
        self.hop.script = {}
        self.fresh()
        with self.relay.connect() as c:
            c.hello()
            c.mail("a@sender.example", ["b@served.example"], BODY,
                   " MT-PRIORITY=5")
        self.arrives(3)
        self.assertNotIn("PRIORITY", "".join(self.new_sessions[-1].lines))
        self.assertIn(b" PRIORITY 5; ", self.new_messages[-1].trace)
        self.assertIn(" priority=5 ", self.relay.log())

    # -- recipients ---------------------------------------------------------
    def test_mixed_replies(self):
        """C5321-36, PIPE-07, S5321-49: each recipient by its own reply."""
        def rcpt(text, session):
            if "later" in text and len(session.hop.messages) == \
                    self.messages:
                return b"450 4.2.1 busy\r\n"
            if "never" in text:
                return b"550 5.1.1 unknown\r\n"
            return None

        self.hop.script = {"RCPT": rcpt}
        self.relay.send(to=["one@served.example", "later@served.example",
                            "never@served.example", "two@served.example"])
        self.arrives(3)
        self.relay.wait_empty()
        by_sender = {m.sender: m for m in self.new_messages if m.sender == ""}
        mail = [m.recipients for m in self.new_messages if m.sender]
        self.assertEqual(mail, [["one@served.example", "two@served.example"],
                                ["later@served.example"]])
        self.assertIn(b"never@served.example", by_sender[""].content)
        self.assertNotIn(b"later@served.example", by_sender[""].content)

    def test_all_refused_but_354(self):
        """PIPE-09: a lone dot, and nobody has got anything."""
        self.fresh()
        self.hop.script = {"RCPT": b"550 5.1.1 no\r\n",
                           "DATA": b"354 go on\r\n"}
        seen = len(self.hop.dotted)
        self.relay.send(sender="")
        self.relay.wait_empty()
        for message in self.hop.dotted[seen:]:
            self.assertEqual((message.recipients, message.wire), ([], b""))
        self.assertEqual([m for m in self.new_messages if m.wire], [])

    def test_too_many_recipients(self):
        """C5321-30: 452 and 552 to RCPT send the rest in another transaction,
        at once."""
        for refusal in (b"452 4.5.3 too many\r\n", b"552 too many\r\n"):
            with self.subTest(refusal):
                self.setUp()
                self.fresh()

                def rcpt(_, session):
                    return refusal if len(session.recipients) >= 10 else None

                self.hop.script = {"RCPT": rcpt}
                to = [f"r{i}@served.example" for i in range(35)]
                self.relay.send(to=to)
                self.relay.wait_empty()
                self.assertEqual(sorted(r for m in self.new_messages
                                        for r in m.recipients), sorted(to))
                self.assertLess(self.new_messages[-1].at -
                                self.new_messages[0].at, 0.9)

    def test_refused_mail_is_not_remembered(self):
        """C5321-31: 5yz to one MAIL says nothing about the next message."""
        def mail(text, _):
            return b"550 5.7.1 not you\r\n" if "bad@" in text else None

        self.hop.script = {"MAIL": mail}
        self.relay.send(sender="bad@sender.example")
        self.relay.send(sender="good@sender.example")
        self.relay.wait_empty()
        self.assertEqual({m.sender for m in self.new_messages},
                         {"", "good@sender.example"})


if __name__ == "__main__":
    basics.main()
