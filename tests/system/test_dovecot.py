"""Users whom Dovecot knows (auth.dovecot): the real one, by programs that
people use, and one that says what it should not.  AUTH-10,
AUTH-21, T19, T51, I-07."""
import base64
import os
import shutil
import smtplib
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, dovecot, memory, nexthop, relay
from support.certificate import Certificate

MAIL = (b"From: a@sender.example\r\nTo: b@else.example\r\n"
        b"Subject: s\r\n\r\nhello\r\n")
ANNA = "correct horse, battery staple"
TOKEN = "eyJhbGciOi.J9-_~+/x=="


class Users(unittest.TestCase):
    """A relay that asks `dovecot`, a socket beside its configuration."""

    def setUp(self):
        self.hop = nexthop.NextHop()
        self.addCleanup(self.hop.close)
        self.relay = relay.Relay(self.hop.port, start=False)
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)
        self.port, = basics.free_ports(1)
        self.certificate = Certificate(self.relay.folder, "cert")
        self.socket = os.path.join(self.relay.folder, "users.sock")
        self.relay.configure(
            listeners=[{"address": f"127.0.0.1:{self.relay.port}"},
                       {"address": f"127.0.0.1:{self.port}",
                        "service": "submission"}],
            tls={"certificate": [self.certificate.chain],
                 "key": [self.certificate.key]},
            auth={"dovecot": "users.sock"})

    def session(self):
        s = smtplib.SMTP("127.0.0.1", self.port, timeout=basics.PATIENCE)
        self.addCleanup(s.close)
        s._host = "relay.example.org"
        s.starttls(context=self.certificate.client())
        s.ehlo("client.example")
        return s

    def words(self, user, password):
        return base64.b64encode(f"\0{user}\0{password}".encode()).decode()

    def plain(self, user, password):
        return self.session().docmd("AUTH",
                                    "PLAIN " + self.words(user, password))

    def bearer(self, s, user, token):
        who = f"a={user}" if user else ""
        text = f"n,{who},\1host=h\1port=587\1auth=Bearer {token}\1\1"
        return s.docmd("AUTH", "OAUTHBEARER " + base64.b64encode(
            text.encode()).decode())

    def wait_ready(self, count=1):
        basics.wait_for("Dovecot is asked", lambda: self.relay.log().count(
            "dovecot_ready") >= count)


@unittest.skipUnless(dovecot.is_there(), "no Dovecot")
class Real(Users):
    def setUp(self):
        super().setUp()
        self.users = dovecot.Dovecot(
            os.path.join(self.relay.folder, "dovecot"), self.socket,
            {"anna": ANNA}, {TOKEN: "anna@example.org"})
        self.addCleanup(self.users.close)

    def test_passwords(self):
        self.users.start()
        self.relay.start()
        self.wait_ready()
        s = self.session()
        self.assertEqual(s.esmtp_features["auth"].split(),
                         ["PLAIN", "LOGIN", "OAUTHBEARER"])
        for method in ("auth_plain", "auth_login"):
            s = self.session()
            s.user, s.password = "anna", ANNA
            code, _ = s.auth(method[5:].upper(), getattr(s, method))
            self.assertEqual(code, 235)
            s.sendmail("a@sender.example", ["b@else.example"], MAIL)
        bad = [self.plain(user, password) for user, password in
               (("anna", "wrong"), ("nobody", ANNA))]
        self.assertEqual(bad[0], bad[1])
        self.assertEqual(bad[0][0], 535)
        self.relay.wait_empty()
        self.assertEqual(len(self.hop.messages), 2)
        self.assertRegex(self.relay.log(), r"accepted .* user=anna\b")

    def test_tokens(self):
        self.users.start()
        self.relay.start()
        self.wait_ready()
        s = self.session()
        self.assertEqual(self.bearer(s, "anna@example.org", TOKEN)[0], 235)
        s.sendmail("a@sender.example", ["b@else.example"], MAIL)
        self.relay.wait_empty()
        self.assertRegex(self.relay.log(),
                         r"accepted .* user=anna@example.org\b")
        s = self.session()
        code, text = self.bearer(s, "anna@example.org", "another")
        self.assertEqual(code, 334)
        self.assertEqual(base64.b64decode(text),
                         b'{"status":"invalid_token"}')
        code, text = s.docmd("AQ==")
        self.assertEqual((code, text[:5]), (535, b"5.7.8"))

    def test_dovecot_comes_and_goes(self):
        """Mail flows, AUTH is told to wait, and nobody has to do anything."""
        self.relay.start()
        code, text = self.plain("anna", ANNA)
        self.assertEqual((code, text[:5]), (454, b"4.7.0"))
        with smtplib.SMTP("127.0.0.1", self.relay.port) as s:
            s.sendmail("a@sender.example", ["b@else.example"], MAIL)
        self.relay.wait_empty()
        for turn in (1, 2):
            self.users.start()
            self.wait_ready(turn)
            self.assertEqual(self.plain("anna", ANNA)[0], 235)
            self.users.stop()
            basics.wait_for("its end", lambda n=turn: self.relay.log().count(
                'why="it hung up"') >= n)
            code, text = self.plain("anna", ANNA)
            self.assertEqual((code, text[:5]), (454, b"4.7.0"))
        self.users.start()
        self.wait_ready(3)
        before = self.relay.pids("keyd")
        self.relay.kill("keyd")
        basics.wait_for("another keyd", lambda: [
            p for p in self.relay.pids("keyd") if p not in before])
        self.wait_ready(4)
        self.assertEqual(self.plain("anna", ANNA)[0], 235)

    @unittest.skipUnless(shutil.which("swaks"), "no swaks")
    def test_swaks(self):
        self.users.start()
        self.relay.start()
        self.wait_ready()
        for method, password, code in (("PLAIN", ANNA, 0),
                                       ("LOGIN", ANNA, 0),
                                       ("LOGIN", "wrong", 28)):
            with self.subTest((method, password)):
                p = subprocess.run(
                    ["swaks", "--server", "127.0.0.1", "--to",
                     "b@else.example", "--from", "a@sender.example", "--tls",
                     "--port", str(self.port), "--auth", method,
                     "--auth-user", "anna", "--auth-password", password],
                    capture_output=True, text=True, check=False,
                    stdin=subprocess.DEVNULL, timeout=basics.PATIENCE)
                self.assertEqual(p.returncode, code, p.stdout + p.stderr)

    @unittest.skipUnless(shutil.which("msmtp"), "no msmtp")
    def test_msmtp(self):
        self.users.start()
        self.relay.start()
        self.wait_ready()
        for method, secret in (("plain", ANNA), ("login", ANNA),
                               ("oauthbearer", TOKEN)):
            user = "anna@example.org" if secret == TOKEN else "anna"
            with self.subTest(method):
                p = subprocess.run(
                    ["msmtp", "--host=127.0.0.1", f"--port={self.port}",
                     f"--auth={method}", f"--user={user}", "--tls=on",
                     "--tls-starttls=on", f"--passwordeval=echo '{secret}'",
                     "--tls-certcheck=off", "--tls-trust-file=",
                     "--from=a@sender.example", "b@else.example"],
                    input=MAIL.decode(), capture_output=True, text=True,
                    check=False, timeout=basics.PATIENCE)
                self.assertEqual(p.returncode, 0, p.stdout + p.stderr)


class Scripted(Users):
    """What a Dovecot could do to us."""

    def serve(self, answer, **more):
        self.users = dovecot.Scripted(self.socket, answer, **more)
        self.addCleanup(self.users.close)

    def by_name(self, fields, reply):
        """What is answered stands in the user's name, and silence is one."""
        _, user, *_ = dovecot.response(fields).split(b"\0")
        for text in user.decode().split("|"):
            if text == "flood":
                reply("\n".join(["NOISE"] * 300))
            elif text != "silence":
                reply(text.replace("ID", fields[1]).replace(" ", "\t"))

    def test_what_is_asked(self):
        def answer(fields, reply):
            reply(f"OK\t{fields[1]}\tuser=anna")
        self.serve(answer)
        self.relay.start()
        self.wait_ready()
        self.assertEqual(self.plain("Anna", ANNA)[0], 235)
        hello, cpid, ask = self.users.lines
        self.assertEqual(hello[:2], ["VERSION", "1"])
        self.assertEqual(cpid[0], "CPID")
        self.assertEqual(ask[0::2][:2], ["AUTH", "PLAIN"])
        self.assertEqual(ask[3:-1], ["service=smtp", "nologin", "secured",
                                     "lip=127.0.0.1", "rip=127.0.0.1"])
        self.assertEqual(dovecot.response(ask),
                         f"\0Anna\0{ANNA}".encode())

    def test_answers(self):
        self.serve(self.by_name)
        self.relay.start()
        self.wait_ready()
        for user, code in (
                ("OK ID", 235), ("OK ID user=b", 235),
                ("OK 999|OK ID user=b", 235), ("WHAT ID|OK ID", 235),
                ("FAIL ID", 535), ("FAIL ID user=b code=authz_fail", 535),
                ("FAIL ID user=b temp", 454),
                ("FAIL ID code=temp_fail", 454),
                ("OK ID user=a\x7fb".replace("\x7f", "\1n"), 501),
                ("OK ID user=" + "x" * 230, 235)):
            with self.subTest(user[:40]):
                self.assertEqual(self.plain(user, "x")[0], code)
        self.assertEqual(self.users.count, 1)
        # what makes no sense costs the connection, and no more
        for user in ("OK x", "CONT ID =", "FAIL"):
            ready = self.relay.log().count("dovecot_ready")
            with self.subTest(user):
                self.assertEqual(self.plain(user, "x")[0], 454)
                self.wait_ready(ready + 1)
        self.assertIn("makes no sense", self.relay.log())

    def test_the_user_is_who_dovecot_says(self):
        self.serve(self.by_name)
        self.relay.configure(auth={"dovecot": "users.sock",
                                   "senders": ["berta b@sender.example"]})
        self.relay.start()
        self.wait_ready()
        for name, code in (("OK ID user=berta", 250), ("OK ID", 550)):
            s = self.session()
            self.assertEqual(s.docmd("AUTH", "PLAIN " + self.words(
                name, "x"))[0], 235)
            self.assertEqual(s.docmd("MAIL FROM:<b@sender.example>")[0],
                             code)
        self.assertEqual(self.users.lines[2][2], "PLAIN")

    def test_tokens(self):
        """OK without a name for a token without one says nothing."""
        def answer(fields, reply):
            asked = dovecot.response(fields) if fields[0] == "AUTH" else b""
            if fields[0] == "CONT":
                self.assertEqual(fields[2], "AQ==")
                reply(f"FAIL\t{fields[1]}")
            elif b"Bearer good" in asked:
                reply(f"OK\t{fields[1]}\tuser=anna\ttoken=good")
            elif b"Bearer later" in asked:
                reply(f"FAIL\t{fields[1]}\ttemp")
            elif b"Bearer nobody" in asked:
                reply(f"OK\t{fields[1]}")
            else:
                reply(f"CONT\t{fields[1]}\t" + base64.b64encode(
                    b'{"status":"expired"}').decode())
        self.serve(answer)
        self.relay.start()
        self.wait_ready()
        self.assertEqual(self.bearer(self.session(), "", "good")[0], 235)
        self.assertEqual(self.bearer(self.session(), "a,b", "good")[0], 501)
        self.assertEqual(self.bearer(self.session(), "", "later")[0], 454)
        self.assertEqual(self.bearer(self.session(), "", "nobody")[0], 454)
        s = self.session()
        code, text = self.bearer(s, "bert=2C", "bad")
        self.assertEqual((code, base64.b64decode(text)),
                         (334, b'{"status":"expired"}'))
        self.assertEqual(s.docmd("AQ==")[0], 535)
        self.assertEqual(self.bearer(s, "", "good")[0], 235)
        self.assertNotIn("Bearer", self.relay.log())

    def test_only_what_it_lists(self):
        self.serve(self.by_name, greeting="VERSION\t1\t1\nMECH\tANONYMOUS\n"
                   "MECH\tPLAIN\tplaintext\nDONE\n")
        self.relay.start()
        self.wait_ready()
        s = self.session()
        self.assertEqual(s.esmtp_features["auth"].split(),
                         ["PLAIN", "LOGIN"])
        self.assertEqual(self.bearer(s, "", "good")[0], 504)

    def test_no_greeting_that_could_be_one(self):
        """Whatever it says first, keyd lives, and asks again."""
        for greeting in ("VERSION\t2\t0\nDONE\n", "MECH\tPLAIN\n",
                         "x" * 100000, "\n" * 1000, "VERSION\t1\t1\n" * 1000,
                         "\0" * 9000, "OK\t1\n"):
            with self.subTest(greeting[:20]):
                self.serve(self.by_name, greeting=greeting)
                if self.relay.process is None:
                    self.relay.start()
                basics.wait_for("another try", lambda: self.users.count > 1)
                self.assertEqual(self.plain("OK ID", "x")[0], 454)
                self.users.close()
        self.serve(self.by_name)
        self.wait_ready()
        self.assertEqual(self.plain("OK ID", "x")[0], 235)

    def test_silence_and_noise(self):
        """Others are served meanwhile; who waited is told to come again."""
        self.serve(self.by_name)
        self.relay.start()
        self.wait_ready()
        s = self.session()
        s.putcmd("AUTH", "PLAIN " + self.words("silence", "x"))
        begin = time.monotonic()
        self.assertEqual(self.plain("OK ID", "x")[0], 235)
        self.assertLess(time.monotonic() - begin, 10)
        self.users.hang_up()
        self.assertEqual(s.getreply()[0], 454)
        self.wait_ready(2)
        s = self.session()
        s.putcmd("AUTH", "PLAIN " + self.words("silence", "x"))
        self.assertEqual(self.plain("flood", "x")[0], 454)
        self.assertEqual(s.getreply()[0], 454)
        self.wait_ready(3)
        self.assertEqual(self.plain("OK ID", "x")[0], 235)

    def test_configuration(self):
        def check():
            return subprocess.run(self.relay.command("mtad", "-t"), text=True,
                                  capture_output=True, check=False)
        p = check()
        self.assertEqual(p.returncode, 0, p.stderr)
        self.assertRegex(p.stderr, r"auth.dovecot: \S*/users.sock: No such")
        self.serve(self.by_name)
        p = check()
        self.assertEqual((p.returncode, p.stderr), (0, ""))
        self.relay.start()
        self.wait_ready()
        self.relay.configure(auth={"dovecot": self.certificate.chain})
        p = check()
        self.assertEqual(p.returncode, 1)
        self.assertIn("is no socket", p.stderr)
        self.assertNotEqual(self.relay.try_ctl("reload").returncode, 0)
        self.assertEqual(self.plain("OK ID", "x")[0], 235)
        file = os.path.join(self.relay.folder, "passwords")
        with open(file, "w", encoding="ascii",
                  opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write("")
        self.relay.configure(auth={"dovecot": "users.sock",
                                   "passwords": file})
        p = check()
        self.assertEqual(p.returncode, 1)
        self.assertIn("not both", p.stderr)
        # another socket, by a reload
        first = self.users
        self.socket = os.path.join(self.relay.folder, "other.sock")
        self.serve(self.by_name)
        self.relay.configure(auth={"dovecot": self.socket})
        self.relay.config["auth"].pop("passwords")
        self.relay.configure()
        self.relay.ctl("reload")
        self.wait_ready(2)
        asked = len(first.lines)
        self.assertEqual(self.plain("OK ID", "x")[0], 235)
        self.assertEqual(len(first.lines), asked)
        p = self.relay.try_ctl("auth", "test", "anna")
        self.assertNotEqual(p.returncode, 0)
        self.assertIn("doveadm auth test", p.stdout + p.stderr)

    @unittest.skipUnless(basics.is_root(), "needs root")
    def test_nothing_is_left_in_memory(self):
        secret = "a rather long password of hers"
        self.serve(self.by_name)
        self.relay.start()
        self.wait_ready()
        self.assertEqual(self.plain("OK ID", secret)[0], 235)
        self.assertEqual(self.plain("FAIL ID", secret)[0], 535)
        needles = [secret.encode()] + [base64.b64encode(
            b"x" * n + secret.encode())[4:28] for n in range(3)]
        for name in ("smtpd", "keyd"):
            for pid in self.relay.pids(name):
                self.assertEqual(memory.holds(pid, needles), [], name)


if __name__ == "__main__":
    basics.main()
