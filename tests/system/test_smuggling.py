"""Sequences that some server takes for the end of a message, in every
segmentation: T01, T03, S5321-03, S5321-04.

After each a second transaction is hidden in the content.  Exactly one final
reply may come, a refusal, and nothing may reach the next hop; with
content.bare_newline: normalise one message arrives, with clean line ends."""
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, client, nexthop, postfix, relay
from support.certificate import Certificate, trusting_all

ENDS = (b"\n.\n", b"\n.\r", b"\r.\n", b"\r.\r", b"\n.\r\n", b"\r.\r\n",
        b"\r\n.\n", b"\r\n.\r", b"\r\n.\r\r\n", b"\r\r\n.\r\r\n",
        b"\r\n\n.\n", b"\r\n\r.\r", b"\n\r\n.\n", b"\r\n.\n\r\n")
NUL_ENDS = (b"\r\n\0.\r\n", b"\r\n.\0\r\n")
HIDDEN = (b"MAIL FROM:<evil@sender.example>\r\nRCPT TO:<v@served.example>\r\n"
          b"DATA\r\nSubject: smuggled\r\n\r\nx")
LAST = b"\r\n.\r\n"


def splits(end):
    """How the stream is cut: sizes of the segments, 0 for the rest."""
    yield "whole", None
    yield "bytes", 1
    for at in range(len(end) + 1):
        yield f"at {at}", -at


def play(client, end, cut):
    """Sends the content with that end inside; the replies up to NOOP's."""
    client.hello()
    client.expect("MAIL FROM:<a@sender.example>", 250)
    client.expect("RCPT TO:<b@served.example>", 250)
    client.expect("DATA", 354)
    before = b"Subject: first\r\n\r\nbody"
    stream = before + end + HIDDEN + LAST + b"NOOP marker\r\n"
    if cut is None:
        client.send(stream)
    elif cut == 1:
        client.send(stream, 1)
    else:
        at = len(before) - cut
        client.send(stream[:at])
        if not client.is_silent(0.01):
            raise AssertionError(f"early reply {client.reply()}")
        client.send(stream[at:])
    return [client.reply(), client.reply()]


class Smuggling(unittest.TestCase):
    def setUp(self):
        self.hop = nexthop.NextHop()
        self.addCleanup(self.hop.close)

    def test_refused(self):
        with relay.Relay(self.hop.port) as r:
            for end in ENDS:
                for name, cut in splits(end):
                    with self.subTest(end=end, cut=name), r.connect() as c:
                        replies = play(c, end, cut)
                        self.assertEqual(
                            [(x.code, x.status) for x in replies],
                            [(550, "5.5.2"), (250, "2.0.0")])
                        self.assertTrue(c.is_silent(0.01))
            self.assertEqual(r.count(), 0)
        self.assertEqual(self.hop.dotted, [])

    def test_refused_in_tls(self):
        """T01: the same inside TLS, cut into its records."""
        with relay.Relay(self.hop.port, start=False) as r:
            cert = Certificate(r.folder)
            r.configure(tls={"certificate": cert.chain, "key": cert.key})
            r.start()
            context = trusting_all()
            for end in ENDS:
                for name, cut in splits(end):
                    with self.subTest(end=end, cut=name), r.connect() as c:
                        c.hello()
                        c.expect("STARTTLS", 220)
                        c.socket = context.wrap_socket(c.socket)
                        replies = play(c, end, cut)
                        self.assertEqual(
                            [(x.code, x.status) for x in replies],
                            [(550, "5.5.2"), (250, "2.0.0")])
            self.assertEqual(r.count(), 0)
        self.assertEqual(self.hop.dotted, [])

    def test_between_chunks(self):
        """T03, BDAT-07: cut anywhere by two chunks, the same octets are
        refused, or are lines of one message; also by DATA, as which they go
        on."""
        clean = (b"\r\n.\r\n", b"\r\n..\r\n.\r\n", b".\r\n")
        arrived = []
        with relay.Relay(self.hop.port) as r, r.connect() as c:
            for end in (*ENDS, *clean):
                before, behind = b"Subject: x\r\n\r\ny", HIDDEN + b"\r\n.\r\n"
                for at in range(len(end) + 1):
                    parts = before + end[:at], end[at:] + behind
                    with self.subTest(end=end, at=at):
                        c.hello()
                        c.expect("MAIL FROM:<a@sender.example>", 250)
                        c.expect("RCPT TO:<b@served.example>", 250)
                        c.send(b"BDAT %d\r\n%sBDAT %d LAST\r\n%s" % (
                            len(parts[0]), parts[0],
                            len(parts[1]), parts[1]))
                        codes = [c.reply().code]
                        if codes[0] == 250 or end not in clean:
                            codes.append(c.reply().code)
                        if end in clean:
                            self.assertEqual(codes, [250, 250])
                            arrived.append(b"".join(parts))
                        else:
                            self.assertIn(codes, [[250, 550], [550, 503]])
                        c.expect("NOOP", 250)
                # mistakes are forgiven after each message
                c.mail("a@sender.example", ["x@served.example"], b"ok\r\n")
            r.wait_empty()
        got = [m.below for m in self.hop.messages if m.below != b"ok\r\n"]
        self.assertEqual(sorted(got), sorted(arrived))
        self.assertEqual({m.sender for m in self.hop.messages},
                         {"a@sender.example"})
        for message in self.hop.messages:
            self.assertIsNone(re.search(rb"(?<!\r)\n|\r(?!\n)",
                                        message.wire))

    def test_nul_ends_nothing(self):
        """S5321-79: NUL is content like any other byte."""
        with relay.Relay(self.hop.port) as r:
            for end in NUL_ENDS:
                for name, cut in splits(end):
                    with self.subTest(end=end, cut=name), r.connect() as c:
                        replies = play(c, end, cut)
                        self.assertIn(replies[0].code, (250, 550))
                        self.assertEqual(replies[1].code, 250)
            r.wait_empty()
        for message in self.hop.messages:
            self.assertIn(b"\0", message.below)
            self.assertIn(b"smuggled", message.below)
            self.assertEqual(message.sender, "a@sender.example")

    def test_normalised(self):
        """Every CR or LF alone becomes CR LF; still only CR LF . CR LF, as it
        came, ends the message.  T02, C5321-14: what leaves is clean."""
        with relay.Relay(self.hop.port,
                         content={"bare_newline": "normalise"}) as r:
            cases = [(end, cut) for end in ENDS for _, cut in splits(end)]
            for end, cut in cases:
                with self.subTest(end=end, cut=cut), r.connect() as c:
                    replies = play(c, end, cut)
                    self.assertEqual([x.code for x in replies], [250, 250])
            r.wait_empty()
        self.assertEqual(len(self.hop.messages), len(cases))
        for message in self.hop.messages:
            self.assertEqual(message.sender, "a@sender.example")
            self.assertIn(b"Subject: smuggled", message.below)
            self.assertIsNone(re.search(rb"(?<!\r)\n|\r(?!\n)",
                                        message.wire))

    def test_only_one_dialogue_per_session(self):
        """The bytes that left, seen from the next hop: no line but its own
        commands and dotted content, whatever the message held (T02)."""
        with relay.Relay(self.hop.port) as r:
            hostile = (b"Subject: x\r\n\r\n.\r\n..\r\n.MAIL FROM:<>\r\n"
                       b".\0\r\n. \r\n.\x0b\r\nQUIT\r\n")
            r.send(hostile)
            r.wait_empty()
        self.assertEqual(self.hop.messages[0].below, hostile)
        self.assertIsNone(re.search(rb"(?<!\r)\n|\r(?!\n)",
                                    self.hop.sessions[0].raw))


class Postfix(unittest.TestCase):
    """The test of the test: the ends that Postfix, as Debian 12 has it, takes
    for one are found out, and no others."""

    SMUGGLED = {b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r\r\n",
                b"\r\r\n.\r\r\n", b"\r\n\n.\n", b"\n\r\n.\n",
                b"\r\n.\n\r\n"}

    def test_known_failures_are_found(self):
        if not postfix.is_there():
            self.skipTest("no private Postfix (bench/get-peers.sh), no root")
        found = set()
        with nexthop.NextHop() as hop, postfix.Postfix(
                relayhost=f"[127.0.0.1]:{hop.port}",
                relay_domains="served.example") as server:
            for end in ENDS:
                with client.Client(server.port) as c:
                    play(c, end, None)
                    # more replies than commands that were meant
                    if not c.is_silent(0.1):
                        found.add(end)
            basics.wait_for("one gets through", lambda: any(
                m.sender == "evil@sender.example" for m in hop.messages))
        self.assertEqual(found, self.SMUGGLED)


if __name__ == "__main__":
    which = "Postfix" if "postfix" in sys.argv[1:] else "Smuggling"
    sys.argv = [a for a in sys.argv if a != "postfix"]
    if len(sys.argv) == 1:
        sys.argv.append(which)
    basics.main()
