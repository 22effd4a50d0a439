"""Submission, spoken by hand octet by octet and with curl: what EHLO offers
there, SCRAM's proofs both ways, what is added to a message and what is not.
AUTH-10, AUTH-14, SUB-01 to -03, SUB-05, SUB-06, SUB-07, SUB-10, S5321-27,
T18, T19, T51."""
import base64
import os
import shutil
import signal
import smtplib
import statistics
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, client, memory, nexthop, passwords, relay
from support.certificate import Certificate, trusting_all

ANN, BOB = ("ann", "s3cret pass"), ("bob@example.org", "pw of b\u00f6b")

SECRET = "Xq7-unlikely-word-Zk9"


class Users(unittest.TestCase):
    def setUp(self):
        self.hop = nexthop.NextHop()
        self.addCleanup(self.hop.close)
        self.relay = relay.Relay(self.hop.port, start=False)
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)
        self.mx = self.relay.port
        self.submission, self.implicit = basics.free_ports(2)
        self.certificate = Certificate(self.relay.folder)
        self.passwords = os.path.join(self.relay.folder, "passwords")
        self.write(passwords.crypt_line(*ANN) + passwords.scram_line(*BOB))
        self.relay.configure(
            listeners=[{"address": f"127.0.0.1:{self.mx}"},
                       {"address": f"127.0.0.1:{self.submission}",
                        "service": "submission"},
                       {"address": f"127.0.0.1:{self.implicit}",
                        "service": "submission", "tls": "implicit"}],
            relay={"networks": ["127.0.0.99/32"]},
            tls={"certificate": self.certificate.chain,
                 "key": self.certificate.key},
            auth={"passwords": self.passwords})
        self.relay.start()

    def write(self, text):
        with open(self.passwords, "w", encoding="utf-8",
                  opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write("# users\n\n" + text)

    def connect(self, port=None):
        """By STARTTLS, EHLO said again; the socket's file."""
        c = client.Client(port or self.submission)
        c.command("EHLO client.example")
        self.assertEqual(c.command("STARTTLS").code, 220)
        inside = trusting_all().wrap_socket(c.socket)
        self.addCleanup(inside.close)
        self.inside = inside
        f = inside.makefile("rwb")
        self.ehlo = self.say(f, "EHLO client.example")
        return f

    def say(self, f, line):
        f.write(line.encode() + b"\r\n")
        f.flush()
        reply = b""
        while True:
            got = f.readline()
            reply += got
            if got[3:4] != b"-":
                return reply.decode("utf-8", "replace").rstrip("\r\n")

    def plain(self, user, password):
        return "AUTH PLAIN " + base64.b64encode(
            f"\0{user}\0{password}".encode()).decode()

    def try_plain(self, user, password):
        return self.say(self.connect(), self.plain(user, password))


class Auth(Users):
    def test_submission(self):
        with smtplib.SMTP("127.0.0.1", self.submission) as s:
            s._host = "relay.example.org"
            s.ehlo()
            self.assertFalse(s.has_extn("auth"))
            self.assertEqual(s.docmd("MAIL FROM:<a@sender.example>")[0], 530)
            s.starttls(context=self.certificate.client())
            s.ehlo()
            self.assertEqual(s.esmtp_features["auth"].split(),
                             ["PLAIN", "LOGIN", "SCRAM-SHA-256",
                              "SCRAM-SHA-256-PLUS"])
            for name in ("enhancedstatuscodes", "pipelining", "dsn",
                         "8bitmime"):
                self.assertTrue(s.has_extn(name), name)
            self.assertEqual(s.docmd("MAIL FROM:<a@sender.example>")[0], 530)
            s.login(*ANN)
            s.sendmail("a@sender.example", ["x@elsewhere.example"],
                       "To: x\r\nBcc: secret@hidden.example\r\n\r\nhi\r\n")
        message = basics.wait_for("mail", lambda: self.hop.messages)[0]
        head, body = message.content.split(b"\r\n\r\n", 1)
        self.assertIn(b"with ESMTPSA id", head)
        self.assertRegex(head, rb"\r\nDate: \w{3}, \d")
        self.assertRegex(head, rb"\r\nMessage-ID: <[0-9a-f.]+@relay")
        self.assertNotIn(b"Bcc", head)
        self.assertNotIn(b"ann", head)
        self.assertEqual(body, b"hi\r\n")
        self.assertRegex(self.relay.log(), r"accepted .* user=ann\b")

    def test_nothing_is_added_elsewhere(self):
        """SUB-06; and a user is trusted there, too."""
        f = self.connect(self.mx)
        self.assertTrue(self.say(f, self.plain(*ANN)).startswith("235 "))
        for line in ("MAIL FROM:<a@sender.example>",
                     "RCPT TO:<x@elsewhere.example>", "DATA",
                     "Bcc: y\r\n\r\nhi\r\n."):
            self.assertRegex(self.say(f, line), r"\A[23]")
        message = basics.wait_for("mail", lambda: self.hop.messages)[0]
        self.assertEqual(message.below, b"Bcc: y\r\n\r\nhi\r\n")

    def test_wrong(self):
        """One reply for both, and nothing is open afterwards."""
        f = self.connect()
        for user, password in ((ANN[0], "wrong"), ("nobody", ANN[1]),
                               (ANN[0], ""), (ANN[0].upper(), ANN[1])):
            reply = self.say(f, self.plain(user, password))
            self.assertRegex(reply, r"\A(535 5\.7\.8|501 5\.5\.2)")
            if password:
                self.assertEqual(reply, "535 5.7.8 Wrong user name or "
                                        "password")
        self.assertRegex(self.say(f, "MAIL FROM:<a@b.example>"), r"\A530 ")
        self.assertRegex(self.relay.log(),
                         r"auth_failed .*user=nobody .*mechanism=PLAIN")
        self.assertNotIn("s3cret", self.relay.log())

    def test_addresses_get_a_domain(self):
        """SUB-03"""
        f = self.connect()
        self.say(f, self.plain(*ANN))
        for line in ("MAIL FROM:<ann>", "RCPT TO:<bob>", "DATA", "\r\nhi\r\n."):
            self.assertRegex(self.say(f, line), r"\A[23]")
        message = basics.wait_for("mail", lambda: self.hop.messages)[0]
        self.assertEqual((message.sender, message.recipients),
                         ("ann@relay.example.org", ["bob@relay.example.org"]))

    def test_old_tls(self):
        """SUB-09: no session, so no AUTH in it."""
        for version in ("-tls1", "-tls1_1", "-tls1_2"):
            p = subprocess.run(
                ["openssl", "s_client", version, "-cipher",
                 "ALL:@SECLEVEL=0", "-connect",
                 f"127.0.0.1:{self.implicit}"], input="", text=True,
                capture_output=True, check=False, timeout=basics.PATIENCE)
            self.assertEqual("Cipher is (NONE)" not in p.stdout,
                             version == "-tls1_2", p.stdout)

    def test_rset_keeps_it(self):
        f = self.connect()
        self.assertRegex(self.say(f, self.plain(*BOB)), r"\A235 ")
        self.assertRegex(self.say(f, "RSET"), r"\A250 ")
        self.assertRegex(self.say(f, "MAIL FROM:<a@sender.example>"),
                         r"\A250 ")
        self.assertRegex(self.say(f, "RCPT TO:<x@elsewhere.example>"),
                         r"\A250 ")

    def test_scram(self):
        for password, code in ((BOB[1], "235"), ("wrong", "535")):
            f = self.connect()
            s = passwords.Scram(BOB[0], password)
            reply = self.say(f, "AUTH SCRAM-SHA-256 " + passwords.b64(
                s.first().encode()))
            first = base64.b64decode(reply[4:]).decode()
            reply = self.say(f, passwords.b64(s.final(first).encode()))
            if reply.startswith("334 "):
                s.check(base64.b64decode(reply[4:]).decode())
                reply = self.say(f, "")
            self.assertEqual(reply[:3], code)

    def test_scram_of_nobody(self):
        """A salt is made up, always the same for a name."""
        salts = set()
        for _ in range(2):
            s = passwords.Scram("nobody", "x")
            reply = self.say(self.connect(), "AUTH SCRAM-SHA-256 " +
                             passwords.b64(s.first().encode()))
            first = base64.b64decode(reply[4:]).decode()
            salts.add(first.split(",s=")[1])
        self.assertEqual(len(salts), 1)
        self.assertIn("i=4096", salts.pop())

    def test_keyd_dies(self):
        f = self.connect()
        self.relay.kill("keyd")
        reply = self.say(f, self.plain(*ANN))
        self.assertRegex(reply, r"\A(454 4\.7\.0|235) ")
        basics.wait_for("users", lambda: self.again().startswith("235 "))

    def again(self):
        try:
            return self.try_plain(*ANN)
        except (OSError, AssertionError):
            return ""

    def test_reload(self):
        """A wrong file is refused with its line, and the old one stays."""
        self.write(passwords.crypt_line("carl", "new"))
        p = self.relay.try_ctl("reload")
        self.assertEqual(p.returncode, 0, p.stderr)
        self.assertRegex(self.try_plain("carl", "new"), r"\A235 ")
        self.assertRegex(self.try_plain(*ANN), r"\A535 ")
        self.write("carl:plain text\n")
        p = self.relay.try_ctl("reload")
        self.assertNotEqual(p.returncode, 0)
        self.assertRegex(p.stdout + p.stderr, r"passwords\S*3\b")
        self.assertRegex(self.try_plain("carl", "new"), r"\A235 ")
        p = subprocess.run(self.relay.command("mtad", "-t"), text=True,
                           capture_output=True, check=False)
        self.assertEqual(p.returncode, 1)
        self.assertIn("passwords", p.stderr)

    def test_a_file_for_everybody(self):
        os.chmod(self.passwords, 0o644)
        self.assertNotEqual(self.relay.try_ctl("reload").returncode, 0)

    def test_the_time_does_not_tell(self):
        """AUTH-14; each from a client of its own, or the guesses count."""
        times = {ANN[0]: [], "nobody": []}
        # more for one user are slowed down
        for i in range(3):
            for user in times:
                c = client.Client(self.submission,
                                  source=f"127.1.{i}.{len(user)}")
                c.command("EHLO client.example")
                c.command("STARTTLS")
                s = trusting_all().wrap_socket(c.socket)
                f = s.makefile("rwb")
                self.say(f, "EHLO client.example")
                begun = time.monotonic()
                name = user if user == ANN[0] else f"nobody{i}"
                self.assertRegex(self.say(f, self.plain(name, f"x{i}")),
                                 r"\A535 ")
                times[user].append(time.monotonic() - begun)
                s.close()
        a, b = (statistics.median(t) for t in times.values())
        self.assertLess(abs(a - b), max(a, b) / 2 + 0.02)

    def test_guesses_are_slowed_down(self):
        """T19: one client has few tries in a second."""
        begun, tries = time.monotonic(), 0
        f = self.connect()
        while tries < 5:
            reply = self.say(f, self.plain("ann", f"guess{tries}"))
            self.assertRegex(reply, r"\A(535|454|421) ")
            tries += 1
        self.assertGreater(time.monotonic() - begun, 1)
        # the user himself is not locked out
        c = client.Client(self.submission, source="127.0.0.77")
        c.command("EHLO client.example")
        c.command("STARTTLS")
        f = trusting_all().wrap_socket(c.socket).makefile("rwb")
        self.say(f, "EHLO client.example")
        begun = time.monotonic()
        self.assertRegex(self.say(f, self.plain(*ANN)), r"\A235 ")
        self.assertLess(time.monotonic() - begun, basics.PATIENCE / 2)


@unittest.skipUnless(basics.is_root(), "needs root")
class Secrets(Users):
    """A password is in smtpd's memory during its exchange only (T51)."""

    def test_nothing_is_left(self):
        secret = SECRET
        self.write(passwords.crypt_line("carl", secret))
        self.relay.ctl("reload")
        sent = base64.b64encode(f"\0carl\0{secret}".encode())
        needles = [secret.encode(), sent[8:24],
                   base64.b64encode(secret.encode())[:16]]
        f = self.connect()
        self.assertRegex(self.say(f, self.plain("carl", secret)), r"\A235 ")
        f = self.connect()
        self.assertRegex(self.say(f, "AUTH LOGIN"), r"\A334 ")
        self.assertRegex(self.say(f, passwords.b64(b"carl")), r"\A334 ")
        self.assertRegex(self.say(f, passwords.b64(secret.encode())),
                         r"\A235 ")
        g = self.connect()
        self.say(g, "AUTH LOGIN")
        self.say(g, passwords.b64(b"carl"))
        # half a line is kept until the rest comes: there it must be found
        half = passwords.b64(secret.encode()).encode()
        g.write(half)
        g.flush()
        basics.wait_for("half a line", lambda: self.found(
            [half[:16]], "smtpd"))
        self.assertRegex(self.say(g, ""), r"\A235 ")
        self.say_behind(needles)
        for name in ("smtpd", "queued", "deliverd", "dnsd", "fetchd"):
            self.assertEqual(self.found(needles, name), [], name)

    def test_half_a_line_is_not_left(self):
        """AUTH PLAIN whose end never comes is kept by its session, and by
        nobody behind it."""
        half = base64.b64encode(f"\0carla\0{SECRET}".encode())
        for before in (b"", b"NOOP\r\n"):
            f = self.connect()
            f.write(before + b"auth plain " + half)
            f.flush()
            if before:
                self.assertRegex(f.readline(), rb"\A250 ")
            needle = half[12:28]
            basics.wait_for("half a line", lambda: self.found(
                [needle], "smtpd"))
            f.close()
            self.inside.close()
            basics.wait_for("nothing of it", lambda: not self.found(
                [needle], "smtpd"))

    def say_behind(self, needles):
        """One that is refused before keyd is asked, with commands behind it;
        and a session that ends with it."""
        # no authorization identity; the name is as long as "\0carl\0"
        bad = "AUTH PLAIN " + passwords.b64(f"doras\0{SECRET}".encode())
        f = self.connect()
        self.assertRegex(self.say(f, f"{bad}\r\nNOOP\r\nNOOP"), r"\A501 ")
        for _ in range(2):
            self.assertRegex(f.readline(), rb"\A250 ")
        self.assertEqual(self.found(needles, "smtpd"), [])
        self.relay.configure(limits={"errors": 1})
        self.relay.ctl("reload")
        f = self.connect()
        f.write((bad + "\r\n").encode() * 2)
        f.flush()
        self.assertRegex(f.read(), rb"\A501 [^\n]*\n421 [^\n]*\n\Z")

    def found(self, needles, name):
        return [n for pid in self.relay.pids(name)
                for n in memory.holds(pid, needles)]


class Tools(Users):
    """mtactl auth hash and auth test."""

    def tool(self, *words, line):
        return subprocess.run(self.relay.command("mtactl", "auth", *words),
                              input=line, text=True, capture_output=True,
                              check=False, timeout=basics.PATIENCE)

    def test_hash_and_test(self):
        for scheme, begin in (("yescrypt", "$y$"), ("sha512", "$6$"),
                              ("scram-sha-256", "{SCRAM-SHA-256}")):
            p = self.tool("hash", "carl", "--scheme", scheme,
                          line="p\u00e4ss word\n")
            self.assertEqual(p.returncode, 0, p.stderr)
            self.assertTrue(p.stdout.startswith(f"carl:{begin}"), p.stdout)
            self.write(p.stdout)
            self.relay.ctl("reload")
            self.assertRegex(self.try_plain("carl", "p\u00e4ss word"),
                             r"\A235 ")
            p = self.tool("test", "carl", line="p\u00e4ss word\n")
            self.assertEqual(p.returncode, 0, p.stdout + p.stderr)
            p = self.tool("test", "carl", line="other\n")
            self.assertEqual(p.returncode, 4, p.stdout + p.stderr)
        self.assertEqual(self.tool("test", "dora", line="x\n").returncode, 4)
        self.assertEqual(self.tool("hash", line="\n").returncode, 2)
        self.assertEqual(self.tool("hash", "--scheme", "md5",
                                   line="x\n").returncode, 2)


class Programs(Users):
    """The password is told to the server only inside TLS."""

    def arrived(self, seen):
        basics.wait_for("mail", lambda: len(self.hop.messages) > seen)

    @unittest.skipUnless(shutil.which("swaks"), "no swaks")
    def test_swaks(self):
        for words in (["--port", str(self.submission), "--tls", "-a",
                       "PLAIN"],
                      ["--port", str(self.submission), "--tls", "-a",
                       "LOGIN"],
                      ["--port", str(self.implicit), "--tls-on-connect",
                       "-a", "PLAIN"]):
            seen = len(self.hop.messages)
            p = subprocess.run(
                ["swaks", "--server", "127.0.0.1", *words, "--to",
                 "x@elsewhere.example", "--from", "a@sender.example",
                 "--auth-user", ANN[0], "--auth-password", ANN[1]],
                capture_output=True, text=True, check=False,
                stdin=subprocess.DEVNULL, timeout=basics.PATIENCE)
            self.assertEqual(p.returncode, 0, p.stdout + p.stderr)
            self.arrived(seen)

    @unittest.skipUnless(shutil.which("curl"), "no curl")
    def test_curl(self):
        for url in (f"smtp://127.0.0.1:{self.submission}",
                    f"smtps://127.0.0.1:{self.implicit}"):
            seen = len(self.hop.messages)
            p = subprocess.run(
                ["curl", "-sS", "-k", "--ssl-reqd", url, "--user",
                 ":".join(ANN), "--mail-from", "a@sender.example",
                 "--mail-rcpt", "x@elsewhere.example", "-T", "-"],
                input="Subject: x\r\n\r\nhi\r\n", capture_output=True,
                text=True, check=False, timeout=basics.PATIENCE)
            self.assertEqual(p.returncode, 0, p.stderr)
            self.arrived(seen)

    @unittest.skipUnless(shutil.which("msmtp"), "no msmtp")
    def test_msmtp(self):
        for how, user in (("plain", ANN), ("login", ANN),
                          ("scram-sha-256", BOB)):
            seen = len(self.hop.messages)
            p = subprocess.run(
                ["msmtp", "--host=127.0.0.1", f"--port={self.submission}",
                 "--tls=on", "--tls-certcheck=off", f"--auth={how}",
                 f"--user={user[0]}",
                 f"--passwordeval=printf '%s' '{user[1]}'",
                 "--from=a@sender.example", "x@elsewhere.example"],
                input="Subject: x\n\nhi\n", capture_output=True, text=True,
                check=False, timeout=basics.PATIENCE)
            self.assertEqual(p.returncode, 0, (how, p.stderr))
            self.arrived(seen)


if __name__ == "__main__":
    basics.main()
