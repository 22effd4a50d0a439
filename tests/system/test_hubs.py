"""Servers of others as next hops: Exim, OpenSMTPD, and smtp-server, which wants a
password.  (Postfix is in test_programs.py, Dovecot's LMTP in test_lmtp.py.)"""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, hubs, nexthop, relay
from support.certificate import Certificate

COUNT = 60
USER, PASSWORD = "relay@example.org", "Xq7 unlikely=word,Zk9"
QUICK = {"first_retry": "500ms", "max_retry": "500ms"}


def body(i):
    """Dots at the start of lines, letters beyond ASCII, long lines, blanks at
    the end; different lengths."""
    return (f"Subject: {i}\r\nFrom: ann@sender.example\r\n"
            f"Date: Sat, 28 Nov 2026 10:00:00 +0000\r\n"
            f"Message-ID: <{i}@sender.example>\r\n"
            f"MIME-Version: 1.0\r\n"
            f"Content-Type: text/plain; charset=utf-8\r\n"
            f"Content-Transfer-Encoding: 8bit\r\n\r\n"
            f".\r\n..\r\n.. naïve {i}\r\n" + "y" * 990 + "\r\n \r\n" +
            "line\r\n" * (i * i % 4000)).encode()


def text_of(content):
    return content.partition(b"\r\n\r\n")[2]


class Hubs(unittest.TestCase):
    def setUp(self):
        self.relay = relay.Relay(start=False, queue=QUICK)
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)
        self.certificate = Certificate(self.relay.folder, "hop", "rsa",
                                       names=("localhost",))

    def configure(self, port, **route):
        self.relay.configure(
            routes=[{"to": "*", "via": f"smtp://localhost:{port}",
                     "tls": "verified", **route}],
            tls={"authorities": self.certificate.chain},
            deliver={"address_family": "ipv4"})
        self.relay.start()

    def send_all(self):
        with self.relay.connect() as c:
            c.hello()
            for i in range(COUNT):
                c.mail("", [f"one{i}@s.example", "lost@s.example",
                            f"two{i}@s.example"], body(i))

    def check_log(self):
        """Each good recipient was delivered to once; the other one is
        told of, in the words of the hub."""
        log = self.relay.log()
        self.assertEqual(log.count(" delivered "), 2 * COUNT)
        self.assertEqual(sum(" bounced " in line and "to=<lost@" in line and
                             "code=550" in line
                             for line in log.splitlines()), COUNT)
        self.assertNotIn("hop_violation", log)

    def play(self, make, **route):
        """mtad -> the hub -> a next hop that compares."""
        with nexthop.NextHop() as sink, make(
                sink.port, self.certificate) as hub:
            self.configure(hub.port, **route)
            self.send_all()
            self.relay.wait_empty(60)
            want = {f"{name}{i}@s.example": text_of(body(i))
                    for i in range(COUNT) for name in ("one", "two")}
            basics.wait_for("all come out", lambda: sum(len(
                m.recipients) for m in list(sink.messages)) >= len(want),
                60)
            for message in sink.messages:
                self.assertEqual(message.content.count(b"\nReceived: ") +
                                 message.content.startswith(b"Received: "),
                                 2)
                for to in message.recipients:
                    self.assertEqual(text_of(message.content), want.pop(to))
            self.assertEqual(want, {})
            self.check_log()

    @unittest.skipUnless(hubs.Exim.is_there(), "no private Exim, no root")
    def test_exim(self):
        self.play(hubs.Exim)

    @unittest.skipUnless(hubs.OpenSMTPD.is_there(),
                         "no private OpenSMTPD, no root")
    def test_opensmtpd(self):
        """That of Debian 12 offers STARTTLS, and ends each handshake with an
        alert, whatever the key: in clear then, where that is allowed."""
        self.play(hubs.OpenSMTPD, tls="opportunistic")

    @unittest.skipUnless(hubs.SmtpServer.is_there(), "no smtp-server")
    def test_smtp_server(self):
        """With a password, PLAIN; with a wrong one nothing is sent."""
        secret = os.path.join(self.relay.folder, "secret")
        auth = {"auth": {"user": USER, "password_file": secret}}

        def write(text):
            with open(secret, "w", encoding="utf-8", opener=lambda p, f:
                      os.open(p, f, 0o600)) as f:
                f.write(text)

        with hubs.SmtpServer(self.certificate, USER, PASSWORD) as hub:
            write("wrong\n")
            self.configure(hub.port, **auth)
            self.relay.send(to=["first@s.example"])
            self.relay.wait_log("code=535")
            self.assertEqual(hub.mail(), [])
            write(PASSWORD + "\n")
            self.relay.ctl("reload")
            self.relay.wait_empty()
            self.send_all()
            self.relay.wait_empty(60)
            got = {to: content for is_tls, user, recipients, content
                   in hub.mail() if is_tls and user == USER
                   for to in recipients}
            self.assertEqual(len(got), 2 * COUNT + 1)
            for i in range(COUNT):
                for name in ("one", "two"):
                    self.assertTrue(got[f"{name}{i}@s.example"].endswith(
                        body(i)))
            self.assertEqual(len(hub.mail()), COUNT + 1)


if __name__ == "__main__":
    basics.main()
