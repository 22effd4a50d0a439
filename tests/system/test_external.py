"""AUTH EXTERNAL: users by their certificates, with Python's ssl, swaks, curl
and openssl s_client; and certificates that make nobody a user.  AUTH-17,
AUTH-18, TLS-14, T16."""
import hashlib
import os
import re
import shutil
import smtplib
import ssl
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, passwords, relay
from support.certificate import Certificate, trusting_all
from support.client_ca import ClientCA

MAIL = (b"From: a@sender.example\r\nTo: b@else.example\r\n"
        b"Subject: s\r\n\r\nhello\r\n")
ANN = "ann@example.org"
BERT = ("bert", "staple of bert")


def fingerprint(path):
    with open(path, encoding="ascii") as f:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(f.read())).hexdigest()


class External(unittest.TestCase):
    def setUp(self):
        self.hop = nexthop.NextHop()
        self.addCleanup(self.hop.close)
        self.relay = relay.Relay(self.hop.port, start=False)
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)
        self.port, self.implicit = basics.free_ports(2)
        self.certificate = Certificate(self.relay.folder, "cert")
        self.ca = ClientCA(self.relay.folder)
        self.ann = self.ca.user("Ann", ANN)
        self.bundle = os.path.join(self.relay.folder, "bundle.pem")
        shutil.copy(self.ca.pem, self.bundle)
        self.file = os.path.join(self.relay.folder, "passwords")
        with open(self.file, "w", encoding="utf-8",
                  opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(passwords.scram_line(*BERT))
        self.relay.configure(
            listeners=[{"address": f"127.0.0.1:{self.relay.port}"},
                       {"address": f"127.0.0.1:{self.port}",
                        "service": "submission"},
                       {"address": f"127.0.0.1:{self.implicit}",
                        "service": "submission", "tls": "implicit"}],
            relay={"networks": ["192.0.2.0/24"]},
            tls={"certificate": self.certificate.chain,
                 "key": self.certificate.key},
            auth={"passwords": self.file, "client_ca": self.bundle})
        self.relay.start()

    def context(self, pair, number=ssl.TLSVersion.TLSv1_3):
        context = trusting_all()
        context.minimum_version = context.maximum_version = number
        if pair is not None:
            context.load_cert_chain(*pair)
        return context

    def session(self, pair, number=ssl.TLSVersion.TLSv1_3, port=None):
        s = smtplib.SMTP("127.0.0.1", port or self.port,
                         timeout=basics.PATIENCE)
        self.addCleanup(s.close)
        s._host = "relay.example.org"
        s.starttls(context=self.context(pair, number))
        s.ehlo("client.example")
        return s

    def offers(self, s):
        return s.esmtp_features.get("auth", "").split()


class Users(External):
    def test_a_user(self):
        for number in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for words in (("EXTERNAL", "="), ("EXTERNAL", passwords.b64(
                    ANN.encode()))):
                s = self.session(self.ann, number)
                self.assertEqual(self.offers(s), [
                    "PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS",
                    "EXTERNAL"])
                self.assertEqual(s.docmd("MAIL", "FROM:<a@b.example>")[0],
                                 530)
                self.assertEqual(s.docmd("AUTH", " ".join(words))[0], 235)
                s.sendmail("a@sender.example", ["b@else.example"], MAIL)
        self.relay.wait_empty()
        self.assertEqual(len(self.hop.messages), 4)
        for message in self.hop.messages:
            head = message.content.split(b"\r\n\r\n")[0]
            self.assertIn(b"with ESMTPSA id", head)
            self.assertNotIn(b"ann", head)
        self.assertRegex(
            self.relay.log(), rf"accepted .* user={ANN} mechanism=EXTERNAL "
            rf"certificate={fingerprint(self.ann[0])} ")

    def test_on_port_25_too(self):
        s = self.session(self.ann, port=self.relay.port)
        self.assertEqual(s.docmd("AUTH", "EXTERNAL =")[0], 235)
        s.sendmail("a@sender.example", ["b@else.example"], MAIL)

    def test_the_common_name(self):
        s = self.session(self.ca.user("J\u00fcrgen M"))
        self.assertEqual(s.docmd("AUTH", "EXTERNAL =")[0], 235)
        s.sendmail("a@sender.example", ["b@else.example"], MAIL)
        basics.wait_for("its user in the log", lambda: re.search(
            r"accepted .* user=.?J\\xc3\\xbcrgen.* mechanism=EXTERNAL ",
            self.relay.log()))

    def test_only_as_oneself(self):
        s = self.session(self.ann)
        for name in (b"bob@example.org", b"Ann"):
            code, text = s.docmd("AUTH", "EXTERNAL " + passwords.b64(name))
            self.assertEqual((code, text[:5]), (535, b"5.7.8"))
        self.assertEqual(s.docmd("AUTH", "EXTERNAL " + passwords.b64(
            ANN.encode() + b"\0"))[0], 501)
        self.assertEqual(s.docmd("MAIL", "FROM:<a@b.example>")[0], 530)
        # a password is as good
        s.user, s.password = BERT
        self.assertEqual(s.auth("PLAIN", s.auth_plain)[0], 235)

    def test_senders(self):
        self.relay.configure(auth={"senders": [f"{ANN} ann@example.org"]})
        self.relay.ctl("reload")
        s = self.session(self.ann)
        self.assertEqual(s.docmd("AUTH", "EXTERNAL =")[0], 235)
        self.assertEqual(s.docmd("MAIL", "FROM:<bob@example.org>")[0], 550)
        self.assertEqual(s.docmd("MAIL", "FROM:<ann@example.org>")[0], 250)

    def test_nobody_but_them(self):
        """Without a file of passwords."""
        self.relay.configure(auth=None)
        self.relay.configure(auth={"client_ca": self.bundle})
        self.relay.ctl("reload")
        s = basics.wait_for("users' certificates alone", self.alone)
        self.assertEqual(s.docmd("AUTH", "EXTERNAL =")[0], 235)
        self.assertEqual(self.offers(self.session(None)), [])

    def alone(self):
        s = self.session(self.ann)
        return s if self.offers(s) == ["EXTERNAL"] else None


class Nobodies(External):
    """T16: the session goes on, and EXTERNAL is not offered."""

    def expect_nobody(self, pair, why, number=ssl.TLSVersion.TLSv1_3):
        s = self.session(pair, number)
        self.assertIn("PLAIN", self.offers(s))
        self.assertNotIn("EXTERNAL", self.offers(s), why)
        self.assertEqual(s.docmd("AUTH", "EXTERNAL =")[0], 504)
        self.assertEqual(s.docmd("NOOP")[0], 250)
        if why is not None:
            self.assertRegex(
                self.relay.log(), rf"certificate_refused client=127\.0\.0\.1 "
                rf"certificate={fingerprint(pair[0])} why=\"?[^\n]*{why}")

    def test_them(self):
        other = ClientCA(self.relay.folder, "other")
        twin = ClientCA(self.relay.folder, "twin")
        alone = Certificate(self.relay.folder, "alone", names=("ann",))
        for number in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.expect_nobody(None, None, number)
            self.expect_nobody(other.user("Ann", ANN), "", number)
            self.expect_nobody(twin.user("Ann", ANN), "issuer", number)
            self.expect_nobody((alone.chain, alone.key), "self", number)
            self.expect_nobody(self.ca.user("Ann", ANN, ended=True),
                               "expired", number)
            self.expect_nobody(self.ca.user("Ann", ANN, usage="serverAuth"),
                               "purpose", number)
            self.expect_nobody(self.ca.user(None), "names nobody", number)
            self.expect_nobody(self.ca.user("a\nRCPT TO:<x>"), "commonName",
                               number)
        self.assertEqual(self.session(self.ann).docmd(
            "AUTH", "EXTERNAL =")[0], 235)

    def test_a_long_chain(self):
        """Of strangers: a little is looked at, too much is hung up on."""
        with open(self.ann[0], encoding="ascii") as f:
            leaf = f.read()
        with open(self.ca.pem, encoding="ascii") as f:
            more = f.read()
        path = os.path.join(self.relay.folder, "long.pem")
        for n, is_open in ((40, True), (400, False)):
            with open(path, "w", encoding="ascii") as f:
                f.write(leaf + more * n)
            try:
                s = self.session((path, self.ann[1]))
                self.assertEqual(s.docmd("AUTH", "EXTERNAL =")[0], 235)
                self.assertTrue(is_open)
            except (OSError, smtplib.SMTPException):
                self.assertFalse(is_open)
        self.assertIn("EXTERNAL", self.offers(self.session(self.ann)))

    def test_resumption(self):
        """Nobody is certified by a ticket; and who was not keeps his."""
        for number in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for pair in (self.ann, None):
                context = self.context(pair, number)
                session = None
                for _ in range(2):
                    s = smtplib.SMTP("127.0.0.1", self.port,
                                     timeout=basics.PATIENCE)
                    self.addCleanup(s.close)
                    s.ehlo("client.example")
                    s.docmd("STARTTLS")
                    s.sock = context.wrap_socket(s.sock, session=session)
                    s.file = None
                    reused = s.sock.session_reused
                    s.ehlo("client.example")
                    self.assertEqual("EXTERNAL" in self.offers(s),
                                     pair is not None)
                    self.assertEqual(reused, session is not None and
                                     pair is None)
                    session = s.sock.session


class Configuration(External):
    def test_reload(self):
        """A bad file is refused, and the old one stays."""
        with open(self.ann[0], encoding="ascii") as f:
            leaf = f.read()
        with open(self.bundle, encoding="ascii") as f:
            good = f.read()
        for text, why in (("", "no certificate is in it"),
                          ("hello\n", "no certificate is in it"),
                          (good.replace("M", "!", 1), "can't be read"),
                          (good + leaf,
                           "certificate 2 is not one of an authority")):
            with open(self.bundle, "w", encoding="ascii") as f:
                f.write(text)
            p = self.relay.try_ctl("reload")
            self.assertNotEqual(p.returncode, 0)
            self.assertIn(f"auth.client_ca: {self.bundle}: ",
                          p.stdout + p.stderr)
            self.assertIn(why, p.stdout + p.stderr)
            p = subprocess.run(self.relay.command("mtad", "-t"), text=True,
                               capture_output=True, check=False)
            self.assertEqual(p.returncode, 1)
            self.assertIn(why, p.stderr)
            self.assertIn("EXTERNAL", self.offers(self.session(self.ann)))
        os.unlink(self.bundle)
        p = self.relay.try_ctl("reload")
        self.assertNotEqual(p.returncode, 0)
        self.assertIn("auth.client_ca", p.stdout + p.stderr)

    def test_another_authority(self):
        other = ClientCA(self.relay.folder, "other")
        shutil.copy(other.pem, self.bundle)
        self.relay.ctl("reload")
        basics.wait_for("the new one", lambda: "EXTERNAL" in self.offers(
            self.session(other.user("Carl"))))
        self.assertNotIn("EXTERNAL", self.offers(self.session(self.ann)))
        # and none at all: nobody is asked any more
        self.relay.configure(auth=None)
        self.relay.configure(auth={"passwords": self.file})
        self.relay.ctl("reload")
        basics.wait_for("none", lambda: "EXTERNAL" not in self.offers(
            self.session(other.user("Carl"))))

    def test_smtpd_dies(self):
        """The next one is told the same."""
        self.relay.kill("smtpd")

        def works():
            try:
                return "EXTERNAL" in self.offers(self.session(self.ann))
            except (OSError, smtplib.SMTPException):
                return False
        basics.wait_for("another smtpd", works)


class Programs(External):
    def run_it(self, *words, **keys):
        p = subprocess.run(words, capture_output=True, text=True,
                           check=False, timeout=basics.PATIENCE, **keys)
        self.assertEqual(p.returncode, 0, p.stdout + p.stderr)
        return p.stdout

    @unittest.skipUnless(shutil.which("swaks"), "no swaks")
    def test_swaks(self):
        """It knows no EXTERNAL: a certificate, and a password all the
        same."""
        for words in (["--tls", "--port", str(self.port)],
                      ["--tls-on-connect", "--port", str(self.implicit)]):
            out = self.run_it(
                "swaks", "--server", "127.0.0.1", "--to", "b@else.example",
                "--from", "a@sender.example", "-a", "PLAIN", "--auth-user",
                BERT[0], "--auth-password", BERT[1], "--tls-cert",
                self.ann[0], "--tls-key", self.ann[1], *words,
                stdin=subprocess.DEVNULL)
            self.assertRegex(out, r"250-AUTH .* EXTERNAL\n")
        self.relay.wait_empty()
        self.assertEqual(len(self.hop.messages), 2)

    @unittest.skipUnless(shutil.which("curl"), "no curl")
    def test_curl(self):
        path = os.path.join(self.relay.folder, "mail")
        with open(path, "wb") as f:
            f.write(MAIL)
        self.run_it("curl", "-sS", "-k", "--url",
                    f"smtps://127.0.0.1:{self.implicit}", "--mail-from",
                    "a@sender.example", "--mail-rcpt", "b@else.example",
                    "--upload-file", path, "--cert", self.ann[0], "--key",
                    self.ann[1], "--login-options", "AUTH=EXTERNAL",
                    "--user", f"{ANN}:")
        self.relay.wait_empty()
        self.assertEqual(len(self.hop.messages), 1)

    @unittest.skipUnless(shutil.which("msmtp"), "no msmtp")
    def test_msmtp(self):
        self.run_it("msmtp", "--host=127.0.0.1", f"--port={self.port}",
                    "--auth=external", f"--user={ANN}", "--tls=on",
                    "--tls-starttls=on", f"--tls-cert-file={self.ann[0]}",
                    f"--tls-key-file={self.ann[1]}", "--tls-certcheck=off",
                    "--tls-trust-file=", "--from=a@sender.example",
                    "b@else.example", input=MAIL.decode())
        self.relay.wait_empty()
        self.assertEqual(len(self.hop.messages), 1)

    def test_s_client(self):
        """It tells which authorities we ask for."""
        out = self.run_it("openssl", "s_client", "-connect",
                          f"127.0.0.1:{self.implicit}", "-cert", self.ann[0],
                          "-key", self.ann[1], "-crlf", "-ign_eof",
                          input="EHLO c\nAUTH EXTERNAL =\nQUIT\n")
        self.assertRegex(out, r"Acceptable client certificate CA names\n"
                         r"CN = Users of example\.org\n")
        self.assertRegex(out, r"(?m)^250-AUTH .* EXTERNAL\r?$")
        self.assertRegex(out, r"(?m)^235 2\.7\.0 ")


if __name__ == "__main__":
    unittest.main()
