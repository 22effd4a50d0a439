"""Programs that people use: swaks, Python's smtplib, Postfix's smtp-source
and smtp-sink, and a whole Postfix as the next hop."""
import email.message
import os
import shutil
import signal
import smtplib
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, postfix, relay

MANY = {"limits": {"connections_per_client": 500},
        "queue": {"first_retry": "500ms", "max_retry": "500ms"}}


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=False,
                          timeout=basics.PATIENCE, **options)


def postfix_tool(name, *words):
    """The command that runs a tool of the unpacked package."""
    return ["env", f"LD_LIBRARY_PATH={postfix.TREE}/usr/lib/postfix",
            postfix.tool(name), *words]


@unittest.skipUnless(shutil.which("swaks"), "no swaks")
class Swaks(unittest.TestCase):
    def test_sessions(self):
        """As an administrator would try it by hand."""
        cases = ((["--body", "hello"], 0, 1),
                 (["--protocol", "SMTP"], 0, 1),
                 (["--pipeline"], 0, 1),
                 (["--attach", "-", "--suppress-data"], 0, 1),
                 (["--quit-after", "RCPT"], 0, 0),
                 (["--to", "a@served.example,b@served.example"], 0, 1),
                 (["--from", "<>"], 0, 1),
                 (["--body", "line\\n.\\n..\\nend"], 0, 1),
                 (["--to", "wrong@@served.example"], 24, 0),
                 (["--from", "wrong@"], 23, 0))
        with nexthop.NextHop() as hop, relay.Relay(hop.port) as r:
            for words, code, arrive in cases:
                with self.subTest(words):
                    seen = len(hop.messages)
                    p = run("swaks", "--server", f"127.0.0.1:{r.port}",
                            "--from", "ann@sender.example", "--to",
                            "bob@served.example", "--helo",
                            "client.example", *words)
                    self.assertEqual(p.returncode, code, p.stdout[-2000:])
                    r.wait_empty()
                    self.assertEqual(len(hop.messages) - seen, arrive)
            p = run("swaks", "--server", f"127.0.0.1:{r.port}",
                    "--local-interface", "127.0.0.9", "--from", "a@b.example",
                    "--to", "bob@elsewhere.example")
            self.assertEqual(p.returncode, 24, p.stdout[-2000:])
            self.assertIn("550 5.7.1", p.stdout)


class Smtplib(unittest.TestCase):
    def test_messages(self):
        with nexthop.NextHop() as hop, relay.Relay(hop.port) as r:
            with smtplib.SMTP("127.0.0.1", r.port, "client.example") as s:
                self.assertEqual(set(s.ehlo()[1].decode().split("\n")[1:]),
                                 {"PIPELINING", "SIZE 52428800", "8BITMIME",
                                  "CHUNKING", "DSN", "LIMITS RCPTMAX=1000", "SMTPUTF8",
                                  "BINARYMIME", "DELIVERBY", "ETRN",
                                  "MT-PRIORITY", "ENHANCEDSTATUSCODES"})
                mail = email.message.EmailMessage()
                mail["From"] = "Änn <ann@sender.example>"
                mail["To"] = "bob@served.example, carl@served.example"
                mail["Subject"] = "Grüße"
                mail.set_content("naïve\n.\n..\n" * 100)
                mail.add_attachment(os.urandom(100000), maintype="image",
                                    subtype="png")
                s.send_message(mail)
                refused = s.sendmail("a@sender.example", [
                    "good@served.example", "bad@"], "Subject: x\n\nx\n")
                self.assertEqual(list(refused), ["bad@"])
                with self.assertRaises(smtplib.SMTPSenderRefused):
                    s.sendmail("a@", ["b@served.example"], "x")
            r.wait_empty()
            self.assertEqual(len(hop.messages), 2)
            # the short one may be the first to arrive
            got = email.message_from_bytes(
                max((m.below for m in hop.messages), key=len),
                policy=email.policy.default)
            self.assertEqual(got["Subject"], "Grüße")
            parts = list(got.iter_parts())
            self.assertEqual(parts[0].get_content().replace("\r\n", "\n"),
                             "naïve\n.\n..\n" * 100)
            self.assertEqual(parts[1].get_content(),
                             list(mail.iter_parts())[1].get_content())


@unittest.skipUnless(postfix.is_there(), "no private Postfix, no root")
class SourceAndSink(unittest.TestCase):
    """smtp-source -> mtad -> smtp-sink, which misbehaves by its options; it
    writes each transaction that it took into a file of its own."""

    COUNT = 300

    def sink(self, folder, port, *words):
        return subprocess.Popen(postfix_tool(
            "smtp-sink", "-u", "nobody", "-R", folder, "-d", "mail.", *words,
            f"127.0.0.1:{port}", "100"), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)

    def source(self, r, *words):
        p = run(*postfix_tool(
            "smtp-source", "-s", "20", "-m", str(self.COUNT), "-l", "3000",
            "-f", "ann@sender.example", "-t", "bob@served.example", *words,
            f"127.0.0.1:{r.port}"))
        self.assertEqual(p.returncode, 0, p.stderr)

    def play(self, *words, is_returned=False):
        """With that behaviour first, then with a sink that takes all: each
        message arrives once, or is returned once."""
        port = basics.free_ports(1)[0]
        with nexthop.NextHop() as reports, relay.Relay(start=False, routes=[
                {"from": "<>", "via": f"smtp://127.0.0.1:{reports.port}"},
                {"to": "*", "via": f"smtp://127.0.0.1:{port}"}],
                **MANY) as r:
            drop = os.path.join(r.folder, "drop")
            os.mkdir(drop)
            os.chmod(drop, 0o777)
            sink = self.sink(drop, port, *words)
            try:
                r.start()
                self.source(r)
                if words[:1] in (("-r",), ("-q",)):
                    time.sleep(1.5)     # some attempts meet it
                    self.stop(sink)
                    sink = self.sink(drop, port)
                    time.sleep(0.2)
                    r.retry()
                r.wait_empty(30)
            finally:
                self.stop(sink)
            arrived = self.arrived(drop)
            self.assertEqual((arrived, len(reports.messages)),
                             (0, self.COUNT) if is_returned else
                             (self.COUNT, 0))

    @staticmethod
    def arrived(drop):
        """How many of the files hold a message: the sink says 354 and writes
        one also when it has refused all recipients before, and then it gets
        a lone dot."""
        count = 0
        for name in os.listdir(drop):
            with open(os.path.join(drop, name), "rb") as f:
                count += b"\nMessage-Id: " in f.read()
        return count

    @staticmethod
    def stop(process):
        process.send_signal(signal.SIGTERM)
        process.wait()

    def test_plain(self):
        self.play()

    def test_soft_errors(self):
        for stage in ("connect", "mail", "rcpt", "data"):
            with self.subTest(stage):
                self.play("-r", stage)

    def test_hard_errors(self):
        """Each sender gets a report."""
        self.play("-f", "rcpt", is_returned=True)

    def test_disconnects(self):
        for stage in ("mail", "rcpt", "data"):
            with self.subTest(stage):
                self.play("-q", stage)

    def test_no_extensions(self):
        """-e: no EHLO; -p: no PIPELINING; -8: no 8BITMIME."""
        for word in ("-e", "-p", "-8"):
            with self.subTest(word):
                self.play(word)


@unittest.skipUnless(postfix.is_there(), "no private Postfix, no root")
class PostfixAsNextHop(unittest.TestCase):
    def test_chain(self):
        """mtad -> Postfix -> a next hop that counts and compares."""
        with nexthop.NextHop() as hop, postfix.Postfix(
                relayhost=f"[127.0.0.1]:{hop.port}") as server, \
                relay.Relay(server.port) as r:
            sent = {}
            with r.connect() as c:
                c.hello()
                for i in range(200):
                    to = f"u{i}@served.example"
                    sent[to] = b"Subject: %d\r\n\r\n.\r\nbody %d\r\n" % (i, i)
                    c.mail("ann@sender.example", [to], sent[to])
            r.wait_empty()
            basics.wait_for("all come out", lambda: len(hop.messages) >= 200)
            for message in hop.messages:
                to, = message.recipients
                self.assertTrue(message.content.endswith(sent.pop(to)))
                self.assertEqual(message.content.count(b"Received: "), 2)
            self.assertEqual(sent, {})


if __name__ == "__main__":
    basics.main()
