"""Addresses and headers beyond ASCII (RFC 6531 to 6533), from client to next
hop, and in the reports about them."""
import os
import quopri
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, postfix, relay, report

BODY = b"Subject: x\r\n\r\nbody\r\n"
UTF8 = b"250-h\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-DSN\r\n250 SMTPUTF8\r\n"
NO_UTF8 = b"250-h\r\n250-PIPELINING\r\n250-DSN\r\n250 8BITMIME\r\n"


def wire(text):
    """As the next hop's log has octets."""
    return text.encode().decode("latin-1")


class Utf8(unittest.TestCase):
    def setUp(self):
        self.hop = nexthop.NextHop()
        self.addCleanup(self.hop.close)
        self.relay = relay.Relay(self.hop.port)
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)

    def send(self, sender, recipients, parameters=" SMTPUTF8", body=BODY):
        """Recipients: (address, parameters)."""
        with self.relay.connect() as c:
            c.hello()
            c.expect(wire(f"MAIL FROM:<{sender}>{parameters}"), 250)
            for address, words in recipients:
                c.expect(wire(f"RCPT TO:<{address}>{words}"), 250)
            self.assertEqual(c.content(body).code, 250)
        self.relay.wait_empty()

    def said(self, verb):
        """What next hops heard, without SIZE and BODY."""
        lines = [line for s in self.hop.sessions for line in s.lines
                 if line.startswith(verb)]
        return [re.sub(r" (SIZE|BODY)=\S+", "", line) for line in lines]

    def test_passed_on(self):
        """UTF8-08, UTF8-10, UTF8-13: to a hop that has it, where it is
        needed."""
        self.hop.script = {"EHLO": UTF8}
        self.send("jürgen@müller.example", [
            ("例@served.example", " ORCPT=utf-8;ü@b.example NOTIFY=NEVER")])
        self.send("s@sender.example", [("a@served.example", "")],
                  body="Subject: ü\r\n\r\nx\r\n".encode())
        self.send("s@sender.example", [
            ("a@served.example", " ORCPT=utf-8;ü@b.example")],
            body="Subject: x\r\n\r\nü\r\n".encode())
        self.assertEqual(self.said("MAIL"), [
            wire("MAIL FROM:<jürgen@müller.example> SMTPUTF8"),
            "MAIL FROM:<s@sender.example> SMTPUTF8",
            "MAIL FROM:<s@sender.example>"])
        self.assertEqual(self.said("RCPT"), [
            wire("RCPT TO:<例@served.example> NOTIFY=NEVER "
                 "ORCPT=utf-8;ü@b.example"),
            "RCPT TO:<a@served.example>",
            r"RCPT TO:<a@served.example> ORCPT=utf-8;\x{FC}@b.example"])
        for m in self.hop.messages:
            self.assertIn(b" with UTF8SMTP id ", m.trace)
            self.assertTrue(m.trace.isascii())

    def test_legacy_header(self):
        """UTF8-08: a message that came without it goes as it came."""
        self.hop.script = {"EHLO": NO_UTF8}
        body = "Subject: ü\r\n\r\nx\r\n".encode()
        self.send("s@sender.example", [("a@served.example", "")], "", body)
        self.assertEqual(self.hop.messages[0].below, body)

    def test_returned(self):
        """UTF8-06, UTF8-11, UTF8-12: a hop without it gets nothing that
        needs it; the report takes any way."""
        self.hop.script = {"EHLO": NO_UTF8}
        body = "Subject: größer\r\n\r\nübung\r\n".encode()
        self.send("s@sender.example", [
            ("ü@served.example", " ORCPT=utf-8;é@b.example"),
            ("a@served.example", "")], body=BODY)
        self.assertEqual([m.recipients for m in self.hop.messages],
                         [["a@served.example"], ["s@sender.example"]])
        self.assertEqual([line for line in self.said("RCPT")
                          if not line.isascii()], [])
        found = report.Report(self.hop.messages[1])
        self.assertTrue(found.wire.isascii())
        self.assertTrue(found.is_global)
        group, = found.groups
        self.assertEqual(group["Final-Recipient"], "utf-8; ü@served.example")
        self.assertEqual(group["Original-Recipient"], "utf-8;é@b.example")
        self.assertEqual(group["Status"], "5.6.7")
        self.assertIn("ü@served.example", found.text)
        self.assertEqual(found.returned.get_content_type(), "message/rfc822")
        # the header needs it, so nobody gets it
        self.send("s@sender.example", [("b@served.example", "")], body=body)
        found = report.Report(self.hop.messages[2])
        self.assertTrue(found.wire.isascii())
        self.assertFalse(found.is_global)
        self.assertEqual(found.groups[0]["Status"], "5.6.7")
        self.assertEqual(found.returned.get_content_type(), "message/global")
        self.assertTrue(quopri.decodestring(
            found.returned_bytes).rstrip().endswith(body.rstrip()))
        self.send("s@sender.example", [("b@served.example", "")],
                  " SMTPUTF8 RET=HDRS", body)
        found = report.Report(self.hop.messages[3])
        self.assertEqual(found.returned.get_content_type(),
                         "message/global-headers")
        self.assertNotIn("übung".encode(),
                         quopri.decodestring(found.returned_bytes))

    def test_domains(self):
        """UTF8-15: a domain has a name for any host; the history keeps what
        was asked for."""
        self.hop.script = {"EHLO": NO_UTF8}
        self.send("s@bücher.example", [("a@müller.example", ""),
                                       ("ü@müller.example", "")])
        first, bounce = self.hop.messages
        self.assertEqual(first.sender, "s@xn--bcher-kva.example")
        self.assertEqual(first.recipients, ["a@xn--mller-kva.example"])
        self.assertEqual(bounce.recipients, ["s@xn--bcher-kva.example"])
        group, = report.Report(bounce).groups
        self.assertEqual(group["Final-Recipient"], "utf-8; ü@müller.example")
        self.assertEqual(group["Status"], "5.6.7")

    @unittest.skipUnless(postfix.is_there(), "no private Postfix, no root")
    def test_postfix(self):
        """UTF8-06, UTF8-15: one whose smtputf8_enable is no."""
        with postfix.Postfix(
                smtputf8_enable="no",
                relayhost=f"[127.0.0.1]:{self.hop.port}") as p:
            self.relay.configure(
                routes=[{"to": "sender.example",
                         "via": f"smtp://127.0.0.1:{self.hop.port}"},
                        {"to": "*", "via": f"smtp://127.0.0.1:{p.port}"}])
            self.relay.ctl("reload")
            self.send("s@sender.example", [("ü@b.example", ""),
                                           ("a@müller.example", "")])
            basics.wait_for("both", lambda: len(self.hop.messages) == 2)
        got = {m.recipients[0]: m for m in self.hop.messages}
        self.assertEqual(set(got), {"a@xn--mller-kva.example",
                                    "s@sender.example"})
        group, = report.Report(got["s@sender.example"]).groups
        self.assertEqual(group["Final-Recipient"], "utf-8; ü@b.example")
        self.assertEqual(group["Status"], "5.6.7")

    def test_reports_to_such_senders(self):
        """UTF8-12: their own address needs it: there where it is, and else
        the report stays undeliverable like any other mail for them."""
        self.hop.script = {
            "EHLO": UTF8, "RCPT": lambda text, _: b"550 5.1.1 no\r\n"
            if "@served" in text else None}
        self.send("jürgen@sender.example", [("a@served.example", "")])
        self.assertEqual(self.said("MAIL")[-1], "MAIL FROM:<> SMTPUTF8")
        m, = self.hop.messages
        self.assertEqual(m.recipients, [wire("jürgen@sender.example")])
        self.assertIn("\r\nTo: <jürgen@sender.example>\r\n".encode(),
                      m.content)
        self.hop.script["EHLO"] = NO_UTF8
        self.relay.stop()
        self.relay.start()
        self.send("jürgen@sender.example", [("a@served.example", "")])
        # told to the postmaster, whose address is ASCII
        m = self.hop.messages[-1]
        self.assertEqual(m.recipients, ["postmaster@relay.example.org"])
        self.assertTrue(m.content.isascii())

    def test_names_are_ascii(self):
        """UTF8-07: what we call ourselves; UTF8-09: and all that we say."""
        with self.relay.connect() as c:
            self.assertTrue(all(line.isascii() for line in
                                c.command("EHLO c").lines))
            c.expect(wire("MAIL FROM:<ü@> SMTPUTF8"), 501)
            c.expect(wire("VRFY ü SMTPUTF8"), 252)
            for r in c.replies:
                self.assertTrue(all(line.isascii() for line in r.lines))
        self.relay.configure(hostname="müller.example")
        found = subprocess.run(self.relay.command("mtad", "-t"),
                               stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, check=False)
        self.assertNotEqual(found.returncode, 0)
        self.assertIn(b"hostname", found.stdout)


if __name__ == "__main__":
    basics.main()
