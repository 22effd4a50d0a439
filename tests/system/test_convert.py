"""8-bit and binary mail to next hops that take neither (RFC 6152, RFC 3030)."""
import email
import os
import random
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, exim, exim_hop, nexthop, postfix, relay, report

PLAIN = b"250-h\r\n250-PIPELINING\r\n250 SIZE\r\n"
TEXT = "Grüße aus Köln,\r\n.\r\n..\r\nvon Zoë \r\n"
LETTER = (b"From: ann@sender.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
          b"Content-Type: text/plain; charset=utf-8\r\n"
          b"Content-Transfer-Encoding: 8bit\r\n\r\n") + TEXT.encode()


def tree(size, seed=1):
    """A message of several parts, 8-bit and not."""
    dice = random.Random(seed)
    octets = dice.randbytes(size).translate(None, b"\r\n\0")
    inner = (b"--c\r\nContent-Type: text/plain; charset=utf-8\r\n"
             b"Content-Transfer-Encoding: 8bit\r\n\r\n" + TEXT.encode() +
             b"\r\n--c\r\nContent-Type: text/html\r\n\r\n<p>x\r\n--c--\r\n")
    return (b"Subject: x\r\nMIME-Version: 1.0\r\n"
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
            b"--b\r\nContent-Type: multipart/alternative; boundary=c\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n\r\n" + inner +
            b"--b\r\nContent-Type: application/octet-stream\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n\r\n" + octets +
            b"\r\n--b\r\nContent-Type: message/rfc822\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n\r\n" + LETTER +
            b"\r\n--b--\r\n")


def peak_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1))


def leaves(content):
    return [(p.get_content_type(), p.get_payload(decode=True))
            for p in email.message_from_bytes(content).walk()
            if not p.is_multipart()]


class Case(unittest.TestCase):
    def setUp(self):
        self.hop = nexthop.NextHop(EHLO=PLAIN)
        self.addCleanup(self.hop.close)

    def relay(self, **keys):
        r = relay.Relay(self.hop.port, **keys)
        self.addCleanup(r.remove)
        self.addCleanup(r.stop)
        return r

    def check(self, content, original):
        """It is 7-bit text with the same parts."""
        self.assertTrue(content.isascii())
        self.assertLessEqual(max(map(len, content.split(b"\r\n"))), 998)
        self.assertEqual(leaves(content), leaves(original))


class Conversion(Case):
    def test_letter(self):
        """8BIT-03, 8BIT-04, C5321-35: it reads the same, nothing is said
        that was not offered, and the history and the log tell of it."""
        r = self.relay()
        queue_id = r.send(LETTER)
        r.wait_empty()
        m, = self.hop.messages
        self.check(m.below, LETTER)
        self.assertIn(b"\r\nContent-Transfer-Encoding: quoted-printable\r\n",
                      m.below)
        mail, = [line for line in m.session.lines if line[:4] == "MAIL"]
        self.assertNotIn("BODY", mail)
        self.assertIn(f" SIZE={len(m.content)}", mail)
        told = r.ctl("message", "history", queue_id)
        self.assertIn("sent as 7-bit text)", told)
        r.wait_log(f"hop_converted id={queue_id}")

    def test_parts(self):
        """8BIT-04: small ones and large ones, also after a restart."""
        r = self.relay()
        sent = [tree(200), tree(3000000, 2)]
        self.hop.script["MAIL"] = b"450 4.2.0 later\r\n"
        for content in sent:
            r.send(content)
        basics.wait_for("attempts", lambda: len(self.hop.sessions) > 0)
        r.stop()
        r.start()
        self.hop.script.pop("MAIL")
        r.retry()
        r.wait_empty()
        got = sorted((m.below for m in self.hop.messages), key=len)
        self.assertEqual(len(got), 2)
        for content, original in zip(got, sent):
            self.check(content, original)

    def test_queued_dies(self):
        """Also when the one that reads the spool dies while it is read."""
        r = self.relay(deliver={"reply_timeout": "20s"})
        sent = tree(6000000, 3)
        r.send(sent)
        r.kill("queued")
        r.wait_empty(30)
        self.check(self.hop.messages[0].below, sent)

    @unittest.skipIf(basics.IS_SANITIZED, "sanitizers keep what was freed")
    def test_memory(self):
        """I-04: of a message of any size little more than a piece is there,
        in either pass."""
        r = self.relay(workers={"deliverd": 1})
        r.send(tree(400000))
        r.wait_empty()
        pid, = r.pids("deliverd")
        before = peak_kib(pid)
        content = tree(30000000, 4)
        r.send(content)
        r.wait_empty(120)
        self.assertLess(peak_kib(pid) - before, 4096)
        self.assertGreater(len(self.hop.messages[-1].content), len(content))

    def test_undeclared(self):
        """Text of which nothing says what it is: RFC 1428."""
        r = self.relay()
        r.send(b"Subject: x\r\n\r\n\xe4\xf6\xfc\r\n")
        r.wait_empty()
        m, = self.hop.messages
        got = email.message_from_bytes(m.below)
        self.assertEqual(got.get_content_charset(), "unknown-8bit")
        self.assertEqual(got.get_payload(decode=True), b"\xe4\xf6\xfc\r\n")

    def test_dkim(self):
        """8BIT-06: a signature of the domain stops nothing, but is told of."""
        r = self.relay()
        queue_id = r.send(b"DKIM-Signature: v=1\r\n" + LETTER)
        r.wait_empty()
        self.check(self.hop.messages[0].below, LETTER)
        self.assertIn("its DKIM signature does not hold any more",
                      r.ctl("message", "history", queue_id))
        r.wait_log("breaks=dkim")

    def test_binary(self):
        """BDAT-09, 8BIT-04: to the octet, by DATA."""
        r = self.relay()
        head = (b"MIME-Version: 1.0\r\nContent-Type: image/x-x\r\n"
                b"Content-Transfer-Encoding: binary\r\n\r\n")
        body = b"\r\0\n.\r\n.\r\n\n.\n" + bytes(range(256))
        for ehlo in (PLAIN, PLAIN.replace(b"SIZE", b"8BITMIME")):
            self.hop.script["EHLO"] = ehlo
            with r.connect() as c:
                c.hello()
                c.expect("MAIL FROM:<s@sender.example> BODY=BINARYMIME", 250)
                c.expect("RCPT TO:<a@served.example>", 250)
                c.send(b"BDAT %d LAST\r\n" % len(head + body) + head + body)
                self.assertEqual(c.reply().code, 250)
            r.wait_empty()
            m = self.hop.messages.pop()
            got = email.message_from_bytes(m.below)
            self.assertTrue(m.content.isascii())
            self.assertEqual(got.get_payload(decode=True), body)

    def test_size(self):
        """RFC 1870: too large once it is converted; nothing is sent."""
        r = self.relay()
        content = tree(100000)
        self.hop.script["EHLO"] = PLAIN.replace(
            b"SIZE", b"SIZE %d" % (len(content) + 1000))
        r.send(content)
        r.wait_empty()
        m, = self.hop.messages
        found = report.Report(m)
        self.assertEqual(found.groups[0]["Status"], "5.3.4")
        self.assertIn("as it has to be sent",
                      " ".join(m.content.decode().split()))

    def test_report(self):
        """What a report returns of 8-bit mail is converted with it."""
        r = self.relay()
        self.hop.script["RCPT"] = lambda text, _: (
            b"550 5.1.1 no\r\n" if "@served" in text else None)
        r.send(LETTER, sender="ann@sender.example")
        r.wait_empty()
        m, = self.hop.messages
        self.assertTrue(m.content.isascii())
        self.assertEqual(report.Report(m).groups[0]["Status"], "5.1.1")
        self.assertIn(("text/plain", TEXT.encode()), leaves(m.content))


class Policy(Case):
    SIGNED = (b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: "
              b"multipart/signed; boundary=s\r\n\r\n--s\r\n" +
              LETTER[LETTER.index(b"Content-Type"):] +
              b"\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\nx"
              b"\r\n--s--\r\n")

    def returned(self, r, content):
        r.send(content)
        r.wait_empty()
        m = self.hop.messages.pop()
        self.assertEqual(self.hop.messages, [])
        self.assertEqual(m.recipients, ["from@sender.example"])
        self.assertEqual(report.Report(m).groups[0]["Status"], "5.6.3")

    def test_signed(self):
        """8BIT-06: it is told of, or stops the mail by policy."""
        r = self.relay()
        queue_id = r.send(self.SIGNED)
        r.wait_empty()
        self.check(self.hop.messages.pop().below, self.SIGNED)
        self.assertIn("its sender's signature does not hold",
                      r.ctl("message", "history", queue_id))
        r.wait_log("breaks=signed")
        r.configure(deliver={"eight_bit": "convert-unsigned"})
        r.ctl("reload")
        self.returned(r, self.SIGNED)

    def test_routes(self):
        """Each route has a word of its own."""
        via = f"smtp://127.0.0.1:{self.hop.port}"
        r = self.relay(routes=[
            {"to": "pass.example", "via": via, "eight_bit": "pass"},
            {"to": "return.example", "via": via, "eight_bit": "return"},
            {"to": "*", "via": via}])
        for to, status in (("pass", None), ("return", "5.6.3"),
                           ("served", None)):
            r.send(LETTER, to=f"a@{to}.example")
            r.wait_empty()
            m = self.hop.messages.pop()
            if status is not None:
                self.assertEqual(report.Report(m).groups[0]["Status"], status)
            elif to == "pass":
                self.assertEqual(m.below, LETTER)
            else:
                self.check(m.below, LETTER)

    def test_impossible(self):
        """8BIT-05"""
        r = self.relay()
        for content in (b"Content-Type: message/partial; id=x\r\n\r\n\xff\r\n",
                        LETTER.replace(b"8bit", b"base64"),
                        LETTER.replace(b"Subject: x", b"Subject: \xe4")):
            self.returned(r, content)

    def test_return(self):
        """8BIT-03"""
        r = self.relay(deliver={"eight_bit": "return"})
        self.returned(r, LETTER)
        r.send()
        r.wait_empty()
        self.assertEqual(len(self.hop.messages), 1)

    def test_pass(self):
        """By leave: not an octet of it changes, nothing is said of it."""
        r = self.relay(deliver={"eight_bit": "pass"})
        r.send(LETTER)
        r.wait_empty()
        m, = self.hop.messages
        self.assertEqual(m.below, LETTER)
        self.assertNotIn("BODY", "".join(m.session.lines))


class Programs(Case):
    @unittest.skipUnless(postfix.is_there(), "no private Postfix, no root")
    def test_postfix(self):
        """A Postfix that does not offer it, and one that does not either
        towards the last hop: it has nothing left to convert."""
        with postfix.Postfix(smtpd_discard_ehlo_keywords="8bitmime",
                             relayhost=f"[127.0.0.1]:{self.hop.port}") as p, \
                relay.Relay(p.port) as r:
            for content in (LETTER, tree(100000)):
                r.send(content)
                r.wait_empty()
                basics.wait_for("it comes out", lambda: self.hop.messages)
                m = self.hop.messages.pop()
                self.check(m.content, content)

    @unittest.skipUnless(exim.is_there(), "no private Exim, no root")
    def test_exim(self):
        with exim_hop.Exim("accept_8bitmime = false",
                           "chunking_advertise_hosts =") as e, \
                relay.Relay(e.port) as r:
            for content in (LETTER, tree(100000)):
                before = len(e.messages)
                r.send(content)
                r.wait_empty()
                basics.wait_for("it is filed",
                                lambda: len(e.messages) > before)
                self.check(max(e.messages, key=len), content)

    @unittest.skipUnless(postfix.is_there(), "no private Postfix, no root")
    def test_sink(self):
        """smtp-sink -8: no 8BITMIME; -e: no EHLO at all."""
        port = basics.free_ports(1)[0]
        for word in ("-8", "-e"):
            with relay.Relay(port, start=False) as r:
                drop = os.path.join(r.folder, "drop")
                os.mkdir(drop)
                os.chmod(drop, 0o777)
                sink = subprocess.Popen(
                    ["env", f"LD_LIBRARY_PATH={postfix.TREE}/usr/lib/postfix",
                     postfix.tool("smtp-sink"), "-u", "nobody", "-R", drop,
                     "-d", "mail.", word, f"127.0.0.1:{port}", "10"],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                try:
                    r.start()
                    r.send(LETTER)
                    r.wait_empty()
                finally:
                    sink.terminate()
                    sink.wait()
                name, = os.listdir(drop)
                with open(os.path.join(drop, name), "rb") as f:
                    self.assertTrue(f.read().isascii())


if __name__ == "__main__":
    basics.main()
