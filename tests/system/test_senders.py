"""Senders that a route rewrites: a masquerade, and SRS and the way back."""
import os
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, relay

SECRETS = ["a secret of this relay", "another secret of this relay"]
STRANGER = "127.0.0.9"


def via(hop):
    return f"smtp://127.0.0.1:{hop.port}"


class Senders(unittest.TestCase):
    def setUp(self):
        self.hop, self.rest = nexthop.NextHop(), nexthop.NextHop()
        self.addCleanup(self.hop.close)
        self.addCleanup(self.rest.close)
        self.relay = relay.Relay(start=False)
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)
        self.secret = f"{self.relay.folder}/srs"
        self.write(SECRETS[0])
        self.relay.configure(srs={"secret_file": "srs"}, routes=[
            {"to": "fwd.example", "via": via(self.hop),
             "srs": "srs.example", "masquerade": ["served.example"]},
            {"to": "*", "via": via(self.rest)}])
        self.relay.start()

    def write(self, *secrets):
        with open(self.secret, "w", encoding="ascii") as f:
            f.write("".join(f"{secret}\n" for secret in secrets))
        os.chmod(self.secret, 0o600)

    def sent_as(self, sender, to="r@fwd.example"):
        hop = self.hop if to.endswith("fwd.example") else self.rest
        n = len(hop.messages)
        self.relay.send(sender=sender, to=to)
        basics.wait_for("it", lambda: len(hop.messages) > n)
        self.relay.wait_empty()
        return hop.messages[-1].sender

    def report_to(self, address):
        """A stranger's report: the reply to RCPT, and who got it."""
        n = len(self.rest.messages)
        with self.relay.connect(source=STRANGER) as c:
            c.hello()
            c.expect("MAIL FROM:<>", 250)
            reply = c.command(f"RCPT TO:<{address}>")
            if reply.code != 250:
                return reply.code, None
            self.assertEqual(c.content(b"Subject: report\r\n\r\nx\r\n").code,
                             250)
        basics.wait_for("it", lambda: len(self.rest.messages) > n)
        return reply.code, self.rest.messages[-1].recipients

    def test_who_is_rewritten(self):
        for sender, want in (
                ("ann@served.example", "ann@served.example"),
                ("ann@www.Served.example", "ann@served.example"),
                ("ann@a.b.served.example", "ann@served.example"),
                ("ann@notserved.example", None),
                ("ann@relay.example.org", "ann@relay.example.org"),
                ("ann@srs.example", "ann@srs.example"),
                ("", "")):
            sent = self.sent_as(sender)
            if want is None:
                self.assertRegex(sent, r"\ASRS0=[A-Z2-7]{6}=[A-Z2-7]{2}="
                                 r"notserved\.example=ann@srs\.example\Z")
            else:
                self.assertEqual(sent, want)
        # another rule's mail keeps its own; so do log and queue
        self.assertEqual(self.sent_as("x@notserved.example", "r@b.example"),
                         "x@notserved.example")
        self.assertRegex(self.relay.log(), "delivered .* "
                         r"to=<r@fwd\.example> from=<ann@notserved\.example>")
        self.assertNotIn("SRS0", self.relay.log())

    def test_there_and_back(self):
        long_one = "bounces+1234567-abcd-user=example.org.x.y.z@em1.mail.shop"\
            ".example"
        for sender in ("ann@other.example", '"a b"@other.example', long_one):
            sent = self.sent_as(sender)
            self.assertEqual(self.report_to(sent), (250, [sender]), sent)
            self.assertEqual(self.report_to(sent.swapcase())[0], 250)
        # who is no client of ours sends to nobody else
        self.assertEqual(self.report_to("ann@other.example")[0], 550)
        self.assertEqual(self.report_to("ann@srs.example")[0], 550)

    def test_forged(self):
        sent = self.sent_as("ann@other.example")
        for forged in (sent.replace("other", "others"),
                       sent.replace("=ann@", "=bob@"),
                       "SRS0=AAAAAA=AA=other.example=ann@srs.example",
                       "SRS0=x@srs.example", "SRS1=x@srs.example"):
            self.assertEqual(self.report_to(forged), (550, None), forged)
        self.assertIn("rejected stage=RCPT reply=\"550 5.1.1", self.relay.log())
        self.assertIn("to=<SRS0=AAAAAA=AA=other.example=ann@srs.example>",
                      self.relay.log())
        # in no domain of a rule it is nothing of ours
        self.assertEqual(self.report_to(sent.replace("srs.", "no."))[0], 550)

    def test_pipelined(self):
        """Replies in their order, other recipients beside it."""
        sent = self.sent_as("ann@other.example")
        with self.relay.connect(source=STRANGER) as c:
            c.hello()
            c.send(f"MAIL FROM:<>\r\nRCPT TO:<{sent}>\r\n"
                   "RCPT TO:<x@elsewhere.example>\r\n"
                   "RCPT TO:<SRS0=a=b=c=d@srs.example>\r\n"
                   "RCPT TO:<y@served.example> NOTIFY=NEVER\r\n"
                   "DATA\r\n")
            self.assertEqual([c.reply().code for _ in range(6)],
                             [250, 250, 550, 550, 250, 354])
            c.send("Subject: x\r\n\r\nx\r\n.\r\n")
            self.assertEqual(c.reply().code, 250)
        basics.wait_for("both", lambda: len(self.rest.messages) >= 1)
        self.relay.wait_empty()
        self.assertEqual(
            sorted(r for m in self.rest.messages for r in m.recipients),
            ["ann@other.example", "y@served.example"])

    def test_over_another_forwarder(self):
        first = "SRS0=abcd=XX=other.example=ann@first.example"
        sent = self.sent_as(first)
        self.assertRegex(sent, r"\ASRS1=[A-Z2-7]{6}=first\.example==abcd=XX="
                         r"other\.example=ann@srs\.example\Z")
        self.assertEqual(self.report_to(sent), (250, [first]))

    def test_secrets_change(self):
        sent = self.sent_as("ann@other.example")
        self.write(SECRETS[1], SECRETS[0])
        self.relay.ctl("reload")
        basics.wait_for("another one", lambda: self.sent_as(
            "ann@other.example") != sent)
        self.assertEqual(self.report_to(sent)[0], 250)
        self.write(SECRETS[1])
        self.relay.ctl("reload")
        basics.wait_for("it is gone",
                        lambda: self.report_to(sent)[0] == 550)

    def test_keyd_dies(self):
        """What waits for it waits in the queue, and a client comes back."""
        sent = self.sent_as("ann@other.example")
        os.kill(self.relay.pids("keyd")[0], signal.SIGSTOP)
        self.relay.send(sender="bob@other.example", to="r@fwd.example")
        with self.relay.connect(source=STRANGER) as c:
            c.hello()
            c.expect("MAIL FROM:<>", 250)
            c.send(f"RCPT TO:<{sent}>\r\n")
            self.relay.wait_count(1, "state:active")
            self.relay.kill("keyd")
            self.assertEqual(c.reply().code, 451)
        self.relay.wait_log("its sender can't be rewritten now")
        self.relay.retry()
        self.relay.wait_empty()
        self.assertIn("=bob@srs.example", self.hop.messages[-1].sender)

    def check(self):
        return subprocess.run(self.relay.command("mtad", "-t"),
                              capture_output=True, check=False).returncode

    def test_mistakes(self):
        self.relay.stop()
        for secrets in (["short"], [], [f"{i}{SECRETS[0]}" for i in range(9)]):
            self.write(*secrets)
            self.assertNotEqual(self.check(), 0, secrets)
        self.write(SECRETS[0])
        os.chmod(self.secret, 0o644)
        self.assertNotEqual(self.check(), 0)
        os.chmod(self.secret, 0o600)
        self.assertEqual(self.check(), 0)


if __name__ == "__main__":
    basics.main()
