"""What senders are told when their mail does not arrive: DSN-*, C5321-26 to
-29, T23."""
import os
import random
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, relay, report

REFUSED = b"550 5.1.1 no such user here\r\n"
QUICK = {"first_retry": "300ms", "max_retry": "300ms"}
POSTMASTER = "help@relay.example.org"


def refuse(text, _):
    """RCPT: what each recipient's name asks for."""
    if "refused" in text.lower():
        return REFUSED
    if "later" in text:
        return b"450 4.2.1 mailbox busy\r\n"
    return None


def reports(hop, to):
    return [report.Report(m) for m in hop.messages
            if m.sender == "" and m.recipients == [to]]


def one_report(hop, to):
    """The only report to that sender."""
    return basics.wait_for(f"a report to {to}",
                           lambda: reports(hop, to))[0]


class Reports(unittest.TestCase):
    """One relay for all; each test has a sender of its own."""

    @classmethod
    def setUpClass(cls):
        cls.hop = nexthop.NextHop()
        cls.relay = relay.Relay(cls.hop.port, queue=QUICK,
                                reports={"postmaster": POSTMASTER})

    @classmethod
    def tearDownClass(cls):
        cls.relay.stop()
        cls.relay.remove()
        cls.hop.close()

    def setUp(self):
        self.hop.script = {"RCPT": refuse}
        self.sender = self.id().rpartition(".")[2] + "@sender.example"

    def bounce(self, content=b"Subject: x\r\n\r\nbody\r\n",
             to="refused@served.example", **options):
        """Sends it; the one report about it."""
        self.relay.send(content, self.sender, to, **options)
        found = one_report(self.hop, self.sender)
        self.relay.wait_empty()
        self.assertEqual(len(reports(self.hop, self.sender)), 1)
        return found

    def test_each_stage(self):
        """DSN-24, DSN-25: refused for good at MAIL, RCPT, DATA and the dot;
        the status is the next hop's if it agrees with the code (NH-06)."""
        words = {b"550 5.7.1 not from you": "5.7.1", b"554 no": "5.0.0",
                 b"550 4.1.1 liar": "5.0.0", b"599 2.0.0 liar": "5.0.0",
                 b"550": "5.0.0"}
        sender = self.sender
        for stage in ("MAIL", "RCPT", "DATA", "dot"):
            for i, (reply, status) in enumerate(words.items()):
                def answer(subject, session, reply=reply):
                    wanted = session.sender if not isinstance(
                        subject, str) or not subject.startswith(
                        "MAIL") else nexthop.path(subject)
                    return reply + b"\r\n" if wanted else None

                with self.subTest(stage=stage, reply=reply):
                    self.sender = f"{stage}{i}.{sender}".lower()
                    self.hop.script = {stage: answer}
                    found = self.bounce(to="x@served.example")
                    group = found.group("x@served.example")
                    self.assertEqual(group["Action"], "failed")
                    self.assertEqual(group["Status"], status)
                    self.assertEqual(group["Remote-MTA"], "dns; [127.0.0.1]")
                    said = group["Diagnostic-Code"]
                    self.assertIn(said, f"smtp; {reply.decode()} ".replace(
                        "  ", " "))
                    self.assertIn(reply.decode(), found.text)

    def test_several_recipients(self):
        """C5321-29, DSN-22, DSN-28: one report for all that fail together,
        of whatever domain; the others are not in it."""
        failing = ["Refused.One@served.example", "refused@OTHER.example",
                   '"refused two"@third.example']
        found = self.bounce(to=[*failing, "fine@served.example"])
        self.assertEqual([g["Final-Recipient"] for g in found.groups],
                         [f"rfc822; {address}" for address in failing])
        for address in failing:
            self.assertIn(f"<{address}>", found.text)
        self.assertNotIn("fine@", found.text)

    def test_many_recipients(self):
        """DSN-28: a thousand recipients, one report, one group for each."""
        to = [f"refused{i}@served.example" for i in range(1000)]
        found = self.bounce(to=to)
        self.assertEqual(sorted(g["Final-Recipient"] for g in found.groups),
                         sorted(f"rfc822; {address}" for address in to))

    def test_null_sender(self):
        """C5321-27, DSN-17: nothing is reported to nobody, and it is said in
        the log."""
        seen = len(self.hop.messages)
        queue_id = self.relay.send(sender="", to="refused@served.example")
        self.relay.wait_empty()
        self.assertFalse([m for m in self.hop.messages[seen:] if m.wire])
        self.assertIn(f"discarded id={queue_id}", self.relay.log())

    def test_report_that_fails(self):
        """C5321-28, T23: once to the postmaster, and there it ends."""
        for stage, is_taken in (("sender", True), ("postmaster", False)):
            with self.subTest(stage):
                def rcpt(text, _, is_taken=is_taken):
                    return None if is_taken and POSTMASTER in text \
                        else REFUSED

                self.hop.script = {"RCPT": rcpt}
                seen = len(self.hop.messages)
                logged = self.relay.log().count(" reported ")
                self.relay.send(sender=self.sender, to="y@served.example")
                basics.wait_for("two reports", lambda: self.relay.log().count(
                    " reported ") == logged + 2)
                self.relay.wait_empty()
                came = [m for m in self.hop.messages[seen:] if m.wire]
                self.assertEqual([m.recipients for m in came],
                                 [[POSTMASTER]] * is_taken)
                for message in came:
                    second = report.Report(message)
                    second.group(self.sender)
                    self.assertIn(b"y@served.example", second.wire)

    def test_content_does_not_matter(self):
        """DSN-36: only the null reverse-path suppresses a report."""
        found = self.bounce(
            b"Auto-Submitted: auto-replied\r\nPrecedence: bulk\r\n"
            b"From: MAILER-DAEMON@x.example\r\nReturn-Path: <>\r\n"
            b"Content-Type: multipart/report; report-type=delivery-status;"
            b" boundary=x\r\n\r\n--x--\r\n")
        self.assertIn(b"Precedence: bulk", found.returned_bytes)

    def test_hostile_words(self):
        """DSN-38, MSG-01, MSG-06: what a next hop says stays words."""
        words = [
            b"550-5.1.1 first\r\n550 5.1.1 second\r\n",
            b"550 a\rAction: delivered\r\n", b"550 a\0b\r\n",
            b"550 \x1b[31m\x07\x7f \xc3\xa9\xff\xe2\x80\xae\r\n",
            b"550 " + b"w" * 5000 + b"\r\n",
            b"550-" + b"v " * 240 + b"\r\n" + b"550-" + b"u" * 500 +
            b"\r\n" * 2 + b"550 end\r\n",
            b"550 <script>alert(1)</script>\t\t--x\r\n",
            b"550-\r\n550-Action: delivered\r\n550-\r\n550 \r\n",
            b"".join(b"550-line %d\r\n" % i for i in range(500)) +
            b"550 end\r\n",
        ]
        sender = self.sender
        for i, said in enumerate(words):
            with self.subTest(said[:30]):
                self.sender = f"h{i}.{sender}"
                self.hop.script = {"dot": lambda m, _, said=said:
                                   said if m.sender else None}
                self.relay.send(sender=self.sender)
                basics.wait_for("it is settled", lambda: self.relay.count(
                    f"from:{self.sender}") == 0 or self.relay.count(
                    f"from:{self.sender} state:deferred"))
                self.relay.ctl("queue", "delete", f"from:{self.sender}",
                               "--yes")
                self.relay.wait_empty()
                for found in reports(self.hop, self.sender):
                    group = found.group("to@served.example")
                    self.assertEqual(group["Action"], "failed")
                    self.assertLess(len(group["Diagnostic-Code"]), 4096)
                    if b"second" in said:
                        self.assertEqual(group["Diagnostic-Code"],
                                         "smtp; 550 5.1.1 first second")

    # -- what is returned ---------------------------------------------------
    def test_message_is_returned(self):
        """DSN-30: below the trace field byte for byte, dots and all."""
        content = (b"Subject: dots\r\nX-Long: " + b"a" * 900 + b"\r\n\r\n"
                   b".\r\n..\r\n.x\r\n\r\n" + b"z" * 998 + b"\r\n")
        found = self.bounce(content)
        self.assertTrue(found.returned_bytes.startswith(b"Received: "))
        self.assertTrue(found.returned_bytes.endswith(content))
        self.assertEqual(found.returned.get_content_type(), "message/rfc822")

    def test_guessed_boundaries(self):
        """DSN-33: whatever the message holds, the report has three parts."""
        first = self.bounce()
        boundary = first.mail.get_boundary()
        lines = [f"--{boundary}", f"--{boundary}--", "--=_report_",
                 *(f"--=_report_{i:032x}" for i in range(200))]
        self.sender = "second." + self.sender
        found = self.bounce(b"Subject: x\r\n\r\n" + "".join(
            f"{line}\r\nContent-Type: message/delivery-status\r\n\r\n"
            "Action: delivered\r\n\r\n" for line in lines).encode())
        self.assertEqual(len(found.mail.get_payload()), 3)
        self.assertNotEqual(found.mail.get_boundary(), boundary)

    def test_eight_bits(self):
        """8BIT-02, DSN-29: the message keeps all its octets, and only its
        own part has them."""
        content = b"Subject: \xe4\r\n\r\n" + b"".join(
            bytes([b]) for b in range(1, 256) if b not in b"\r\n") + b"\r\n"
        found = self.bounce(content)
        self.assertTrue(found.returned_bytes.endswith(content))
        self.assertEqual(found.mail["Content-Transfer-Encoding"], "8bit")

    def test_eight_bits_cannot_pass(self):
        """8BIT-03: a message returned because the next hop takes no 8-bit
        text is reported over that hop, in 7 bits."""
        self.relay.ctl("reload")
        basics.wait_for("idle connections end", lambda: all(
            s.is_over for s in self.hop.sessions))
        self.hop.script = {"EHLO": b"250-h\r\n250 SIZE\r\n"}
        found = self.bounce(b"Subject: =\xe4\r\nFrom: me\r\n\r\nna\xefve\r\n",
                          to="any@served.example")
        self.assertTrue(found.wire.isascii())
        group = found.group("any@served.example")
        self.assertEqual(group["Status"], "5.6.3")
        self.assertNotIn("Diagnostic-Code", group)
        self.assertEqual(found.returned.get_content_type(),
                         "text/rfc822-headers")
        self.assertIn(b"Subject: =\xe4",
                      found.returned.get_payload(decode=True))
        self.relay.ctl("reload")

    def test_long_addresses(self):
        """MSG-01, MSG-04: addresses as long as may be."""
        # 254 octets, with <> the 256 of a path
        domain = ".".join(["d" * 62] * 3) + ".ex"
        self.sender = f"{'s' * (253 - len(domain))}@{domain}"
        to = f"{'refused':r<{253 - len(domain)}}@{domain}"
        found = self.bounce(to=to)
        found.group(to)

    def test_all_are_different(self):
        """DSN-32, MSG-03: each has a Message-ID of its own, also after a
        restart."""
        for half in range(2):
            with self.relay.connect() as c:
                c.hello()
                for i in range(150):
                    c.mail(f"u{half}.{i}@unique.example",
                           ["refused@served.example"],
                           b"Subject: x\r\n\r\nbody\r\n")
            self.relay.wait_empty()
            if half == 0:
                self.relay.stop()
                self.relay.start()
        found = [report.Report(m) for m in self.hop.messages
                 if m.recipients[0].endswith("@unique.example")]
        self.assertEqual(len(found), 300)
        for name in ("Message-ID", "Content-Type"):
            self.assertEqual(len({r.mail[name] for r in found}), 300)


class Heads(unittest.TestCase):
    """reports.head: how much of a message comes back."""

    def test_heads(self):
        """DSN-30: the header, and of the body no more than that, whole
        lines."""
        chance = random.Random(1)
        header = b"Subject: head\r\nX-More: 1\r\n"
        line = bytes(chance.choice(b"abcdef") for _ in range(98)) + b"\r\n"
        cases = ((0, 5, 0), (0, 0, 0), (250, 5, 2), (100, 5, 1), (99, 5, 0),
                 (500, 5, 5), (1000, 5, 5), (65536, 20000, 655),
                 (1 << 30, 30000, None))
        with nexthop.NextHop(RCPT=refuse) as hop, relay.Relay(hop.port) as r:
            for i, (head, lines, kept) in enumerate(cases):
                with self.subTest(head=head, lines=lines):
                    r.configure(reports={"head": head})
                    r.ctl("reload")
                    r.send(header + b"\r\n" + line * lines,
                           f"s{i}@sender.example", "refused@served.example")
                    found = one_report(hop, f"s{i}@sender.example")
                    self.check(found, head, header, line, lines, kept)

    def check(self, found, head, header, line, lines, kept):
        returned = found.returned_bytes
        if head == 0:
            self.assertEqual(found.returned.get_content_type(),
                             "text/rfc822-headers")
            self.assertTrue(returned.endswith(header))
            return
        self.assertEqual(found.returned.get_content_type(), "message/rfc822")
        top, _, body = returned.partition(b"\r\n\r\n")
        self.assertTrue((top + b"\r\n").endswith(header))
        self.assertEqual(body, line * (len(body) // len(line)))
        if kept is not None:
            self.assertEqual(len(body) // len(line), kept)
        self.assertEqual("was cut off" in found.text,
                         len(body) < lines * len(line))


class Expiry(unittest.TestCase):
    def test_given_up(self):
        """DSN-23: "failed" also after nothing but 4xx, once the time is
        over; the rest of the message has its own fate."""
        with nexthop.NextHop(RCPT=refuse) as hop, relay.Relay(
                hop.port, queue={**QUICK, "expire": "1s"}) as r:
            start = time.monotonic()
            r.send(sender="s@sender.example",
                   to=["later@served.example", "refused@served.example",
                       "fine@served.example", "later@other.example"])
            basics.wait_for("two reports", lambda: len(
                reports(hop, "s@sender.example")) == 2)
            self.assertGreater(time.monotonic() - start, 0.9)
            r.wait_empty()
            first, second = reports(hop, "s@sender.example")
            self.assertEqual(len(first.groups), 1)
            first.group("refused@served.example")
            for to in ("later@served.example", "later@other.example"):
                group = second.group(to)
                self.assertEqual(group["Action"], "failed")
                self.assertEqual(group["Status"], "4.2.1")
                self.assertEqual(group["Diagnostic-Code"],
                                 "smtp; 450 4.2.1 mailbox busy")

    def test_nobody_was_there(self):
        """DSN-25: without another host's words there are no remote fields,
        and each sender is told, not only whose message was the probe."""
        dead, back = basics.free_ports(1)[0], nexthop.NextHop()
        routes = [{"to": "sender.example",
                   "via": f"smtp://127.0.0.1:{back.port}"},
                  {"to": "*", "via": f"smtp://127.0.0.1:{dead}"}]
        with back, relay.Relay(routes=routes, queue={
                **QUICK, "warn": "700ms", "expire": "3s"}) as r:
            senders = [f"s{i}@sender.example" for i in range(10)]
            for sender in senders:
                r.send(sender=sender)
            r.wait_empty()
            for sender in senders:
                with self.subTest(sender):
                    found = reports(back, sender)
                    actions = [f.groups[0]["Action"] for f in found]
                    self.assertEqual(actions, ["delayed", "failed"])
                    group = found[-1].groups[0]
                    self.assertNotIn("Remote-MTA", group)
                    self.assertNotIn("Diagnostic-Code", group)
                    self.assertEqual(group["Status"], "4.4.1")
                    self.assertIn("refused", found[-1].text.lower())

    def test_in_doubt(self):
        """C5321-38: when the last answer was lost nobody can say that the
        message did not arrive, and the report does not."""
        with nexthop.NextHop(dot=nexthop.CLOSE) as hop, \
                nexthop.NextHop() as back, relay.Relay(
                    routes=[{"to": "sender.example",
                             "via": f"smtp://127.0.0.1:{back.port}"},
                            {"to": "*", "via":
                             f"smtp://127.0.0.1:{hop.port}"}],
                    queue={**QUICK, "expire": "500ms"}) as r:
            r.send(sender="s@sender.example")
            found = one_report(back, "s@sender.example")
            self.assertIn("may have delivered it", report.unfolded(
                " ".join(found.text.split())))
            self.assertNotIn("will not receive it", found.text)
            r.wait_empty()

    def test_delay_notice(self):
        """DSN-34, DSN-17: once, with the time until which it is tried; none
        for a null sender, none for a report."""
        with nexthop.NextHop(RCPT=refuse) as hop, relay.Relay(
                hop.port, queue={**QUICK, "warn": "600ms",
                                 "expire": "1h"}) as r:
            r.send(sender="s@sender.example",
                   to=["later@served.example", "later@other.example"])
            r.send(sender="", to="later@served.example")
            r.send(sender="later@sender.example",
                   to="refused@served.example")
            found = one_report(hop, "s@sender.example")
            for to in ("later@served.example", "later@other.example"):
                group = found.group(to)
                self.assertEqual(group["Action"], "delayed")
                self.assertEqual(group["Status"], "4.2.1")
                self.assertIn("Will-Retry-Until", group)
            self.assertIn("need not send it again", found.text)
            time.sleep(1.2)
            self.assertEqual(len([m for m in hop.messages
                                  if m.sender == "" and m.wire]), 1)
            self.assertEqual(r.count(), 3)
            hop.script = {}
            r.wait_empty()


if __name__ == "__main__":
    basics.main()
