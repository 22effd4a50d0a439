"""Users: keyd's answers to smtpd, with programs that people use.  AUTH-06,
AUTH-08, AUTH-10, AUTH-14, SUB-01, SUB-08, SUB-10, T18, T19, I-07."""
import base64
import hashlib
import hmac
import os
import shutil
import smtplib
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, relay
from support.certificate import Certificate

MAIL = (b"From: a@sender.example\r\nTo: b@else.example\r\n"
        b"Subject: s\r\n\r\nhello\r\n")
ANNA = "correct horse"
BERT = "staple of bert"


def sha512(password):
    return subprocess.run(["openssl", "passwd", "-6", "-stdin"],
                          input=password, text=True, check=True,
                          capture_output=True).stdout.strip()


def scram(password, iterations=4096):
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt,
                                 iterations)

    def key(name):
        return hmac.digest(salted, name, "sha256")
    stored = hashlib.sha256(key(b"Client Key")).digest()
    parts = (base64.b64encode(p).decode()
             for p in (salt, stored, key(b"Server Key")))
    return f"{{SCRAM-SHA-256}}{iterations}," + ",".join(parts)


class Auth(unittest.TestCase):
    def setUp(self):
        self.hop = nexthop.NextHop()
        self.addCleanup(self.hop.close)
        self.relay = relay.Relay(self.hop.port, start=False)
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)
        self.port, self.implicit = basics.free_ports(2)
        self.certificate = Certificate(self.relay.folder, "cert")
        self.file = os.path.join(self.relay.folder, "passwords")
        self.write_users(f"# people\nanna:{sha512(ANNA)}\n"
                         f"bert:{scram(BERT)}\n")
        self.relay.configure(
            listeners=[{"address": f"127.0.0.1:{self.relay.port}"},
                       {"address": f"127.0.0.1:{self.port}",
                        "service": "submission"},
                       {"address": f"127.0.0.1:{self.implicit}",
                        "service": "submission", "tls": "implicit"}],
            relay={"networks": ["192.0.2.0/24"]},
            tls={"certificate": [self.certificate.chain],
                 "key": [self.certificate.key]},
            auth={"passwords": self.file})
        self.relay.start()

    def write_users(self, text):
        with open(self.file, "w", encoding="utf-8",
                  opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(text)

    def session(self):
        s = smtplib.SMTP("127.0.0.1", self.port, timeout=basics.PATIENCE)
        self.addCleanup(s.close)
        s._host = "relay.example.org"
        s.starttls(context=self.certificate.client())
        s.ehlo("client.example")
        return s

    def plain(self, s, user, password):
        words = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        return s.docmd("AUTH", "PLAIN " + words)

    def test_passwords_of_both_kinds(self):
        for user, password in (("anna", ANNA), ("bert", BERT)):
            for method in ("auth_plain", "auth_login"):
                with self.subTest(user=user, method=method):
                    s = self.session()
                    s.user, s.password = user, password
                    code, _ = s.auth(method[5:].upper(), getattr(s, method))
                    self.assertEqual(code, 235)
                    s.sendmail("a@sender.example", ["b@else.example"], MAIL)
        self.relay.wait_empty()
        self.assertEqual(len(self.hop.messages), 4)
        for message in self.hop.messages:
            head = message.content.split(b"\r\n\r\n")[0]
            self.assertIn(b"with ESMTPSA id", head)
            self.assertNotIn(b"anna", head)
            self.assertNotIn(b"bert", head)

    def test_only_inside_tls_and_only_users(self):
        s = smtplib.SMTP("127.0.0.1", self.port, timeout=basics.PATIENCE)
        self.addCleanup(s.close)
        s.ehlo("client.example")
        self.assertFalse(s.has_extn("auth"))
        self.assertIn(self.plain(s, "anna", ANNA)[0], (530, 538))
        s = self.session()
        self.assertEqual(s.esmtp_features["auth"].split(),
                         ["PLAIN", "LOGIN", "SCRAM-SHA-256",
                          "SCRAM-SHA-256-PLUS"])
        self.assertEqual(s.docmd("MAIL", "FROM:<a@b.example>")[0], 530)
        bad = [self.plain(self.session(), user, password)
               for user, password in (("anna", "wrong"), ("carl", ANNA))]
        self.assertEqual(bad[0], bad[1])
        self.assertEqual(bad[0][0], 535)
        self.assertTrue(bad[0][1].startswith(b"5.7.8"))
        log = self.relay.log()
        self.assertIn("auth_failed", log)
        for word in (ANNA, BERT, "wrong"):
            self.assertNotIn(f"password={word}", log)
        self.assertNotIn(base64.b64encode(f"\0anna\0{ANNA}".encode())
                         .decode(), log)

    def test_guessing_gets_slower_and_is_refused(self):
        took = []
        for i in range(5):
            begin = time.monotonic()
            self.assertEqual(self.plain(self.session(), f"u{i}", "x")[0],
                             535)
            took.append(time.monotonic() - begin)
        self.assertGreaterEqual(took[3], 1.0)
        self.assertGreaterEqual(took[4], 2.0)

    def test_keyd_may_die(self):
        self.assertEqual(self.plain(self.session(), "anna", ANNA)[0], 235)
        before = self.relay.pids("keyd")
        self.relay.kill("keyd")
        basics.wait_for("another keyd", lambda: [
            p for p in self.relay.pids("keyd") if p not in before])

        def works():
            s = self.session()
            return s.has_extn("auth") and \
                self.plain(s, "anna", ANNA)[0] == 235
        basics.wait_for("AUTH again", works)

    def test_reload(self):
        self.write_users("anna:nonsense\n")
        p = self.relay.try_ctl("reload")
        self.assertNotEqual(p.returncode, 0, p.stdout)
        self.assertIn("passwords:1", p.stdout + p.stderr)
        self.assertNotIn("nonsense", p.stdout + p.stderr)
        self.assertEqual(self.plain(self.session(), "anna", ANNA)[0], 235)
        self.write_users(f"carl:{sha512('new one')}\n")
        self.relay.ctl("reload")
        s = self.session()
        self.assertEqual(s.esmtp_features["auth"].split(),
                         ["PLAIN", "LOGIN"])
        self.assertEqual(self.plain(s, "carl", "new one")[0], 235)
        self.assertEqual(self.plain(self.session(), "anna", ANNA)[0], 535)

    @unittest.skipUnless(shutil.which("swaks"), "no swaks")
    def test_swaks(self):
        for words in (["--tls", "--port", str(self.port), "--auth", "PLAIN"],
                      ["--tls", "--port", str(self.port), "--auth", "LOGIN"],
                      ["--tls-on-connect", "--port", str(self.implicit),
                       "--auth", "PLAIN"]):
            with self.subTest(words):
                p = subprocess.run(
                    ["swaks", "--server", "127.0.0.1", "--to",
                     "b@else.example", "--from", "a@sender.example",
                     "--auth-user", "anna", "--auth-password", ANNA, *words],
                    capture_output=True, text=True, check=False,
                    stdin=subprocess.DEVNULL, timeout=basics.PATIENCE)
                self.assertEqual(p.returncode, 0, p.stdout + p.stderr)

    @unittest.skipUnless(shutil.which("msmtp"), "no msmtp")
    def test_msmtp(self):
        for method in ("plain", "login", "scram-sha-256"):
            with self.subTest(method):
                p = subprocess.run(
                    ["msmtp", "--host=127.0.0.1", f"--port={self.port}",
                     f"--auth={method}", "--user=bert", "--tls=on",
                     "--tls-starttls=on", f"--passwordeval=echo {BERT}",
                     "--tls-certcheck=off", "--tls-trust-file=",
                     "--from=a@sender.example", "b@else.example"],
                    input=MAIL.decode(), capture_output=True, text=True,
                    check=False, timeout=basics.PATIENCE)
                self.assertEqual(p.returncode, 0, p.stdout + p.stderr)


if __name__ == "__main__":
    unittest.main()
