"""TLS of clients: STARTTLS and implicit, with programs that people use, and
with those who mean harm.  TLS-01 to -04, TLS-12 to -15, T05, T07, T20,
T51, I-07."""
import os
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, client, memory, nexthop, relay
from support.certificate import Certificate, trusting_all

MAIL = (b"From: a@sender.example\r\nTo: b@served.example\r\n"
        b"Subject: secret\r\n\r\nhello\r\n")


def run(*command, **options):
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run(command, capture_output=True, text=True,
                          check=False, timeout=basics.PATIENCE, **options)


class Tls(unittest.TestCase):
    kind = "p256"

    def setUp(self):
        self.hop = nexthop.NextHop()
        self.addCleanup(self.hop.close)
        self.relay = relay.Relay(self.hop.port, start=False)
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)
        self.port = self.relay.port
        self.implicit = basics.free_ports(1)[0]
        self.certificate = self.make("cert", kind=self.kind)
        self.configure(self.certificate)
        self.relay.start()

    def make(self, stem, **options):
        return Certificate(self.relay.folder, stem, **options)

    def configure(self, *certificates, **more):
        self.relay.configure(
            listeners=[{"address": f"127.0.0.1:{self.port}"},
                       {"address": f"127.0.0.1:{self.implicit}",
                        "tls": "implicit"}],
            tls={"certificate": [c.chain for c in certificates],
                 "key": [c.key for c in certificates]}, **more)

    def connect(self, context=None, name="relay.example.org"):
        """A socket inside TLS, by STARTTLS."""
        c = client.Client(self.port)
        self.assertIn("STARTTLS", c.command("EHLO client.example").text)
        self.assertEqual(c.command("STARTTLS").code, 220)
        context = context or self.certificate.client()
        return context.wrap_socket(c.socket, server_hostname=name)

    def send(self, server):
        server.sendmail("a@sender.example", ["b@served.example"], MAIL)
        server.quit()


class Sessions(Tls):
    def test_starttls(self):
        with smtplib.SMTP("127.0.0.1", self.port) as s:
            s._host = "relay.example.org"
            s.starttls(context=self.certificate.client())
            s.ehlo()
            self.assertFalse(s.has_extn("starttls"))
            self.assertEqual(s.docmd("STARTTLS")[0], 503)
            s.sendmail("a@sender.example", ["b@served.example"], MAIL)
        self.check_arrived()

    def test_implicit(self):
        raw = socket.create_connection(("127.0.0.1", self.implicit),
                                       basics.PATIENCE)
        inside = self.certificate.client().wrap_socket(
            raw, server_hostname="relay.example.org")
        s = smtplib.SMTP()
        s.sock = inside
        s.file = None
        self.assertEqual(s.getreply()[0], 220)
        s.ehlo("client.example")
        self.assertFalse(s.has_extn("starttls"))
        self.send(s)
        self.check_arrived()

    def check_arrived(self):
        message = basics.wait_for("mail", lambda: self.hop.messages)[0]
        head = message.content.split(b"\r\n\r\n")[0]
        self.assertRegex(head, rb"with ESMTPS id \w+\r\n\tfor "
                         rb"<b@served.example> tls TLS_[A-Z0-9_]+; ")
        self.assertRegex(self.relay.log(), r"accepted .* tls=TLSv1\.3/TLS_")

    def test_large_messages_both_ways_of_splitting(self):
        """Records of all sizes: the largest, and one octet each."""
        body = b"Subject: x\r\n\r\n" + b"".join(
            b"%06d %s\r\n" % (i, b"y" * (i % 70)) for i in range(8000))
        for size in (1 << 20, 1):
            text = body if size > 1 else body[:3000]
            with self.subTest(size), self.connect() as s:
                for line in (b"EHLO c\r\n", b"MAIL FROM:<a@b.example>\r\n",
                             b"RCPT TO:<b@served.example>\r\n", b"DATA\r\n"):
                    s.sendall(line)
                    self.assertRegex(self.reply(s), rb"^[23]")
                text = text[:text.rindex(b"\r\n") + 2] + b".\r\n"
                for at in range(0, len(text), size):
                    s.sendall(text[at:at + size])
                self.assertRegex(self.reply(s), rb"^250 2\.0\.0")
                self.relay.wait_empty()
                self.assertTrue(self.hop.messages[-1].content.endswith(
                    text[:-3]))

    def reply(self, s):
        got = b""
        while not re.search(rb"(^|\n)\d{3} [^\n]*\n\Z", got):
            piece = s.recv(4096)
            if not piece:
                break
            got += piece
        return got

    def test_what_was_said_in_clear_is_forgotten(self):
        with self.connect() as s:
            s.sendall(b"MAIL FROM:<a@b.example>\r\n")
            self.assertRegex(self.reply(s), rb"^503 ")


class Programs(Tls):
    @unittest.skipUnless(shutil.which("swaks"), "no swaks")
    def test_swaks(self):
        for words in (["--tls"], ["--tls", "--tls-protocol", "tlsv1_2"],
                      ["--tls-on-connect", "--port", str(self.implicit)]):
            with self.subTest(words):
                seen = len(self.hop.messages)
                p = run("swaks", "--server", "127.0.0.1", "--port",
                        str(self.port), "--to", "b@served.example", "--from",
                        "a@sender.example", *words)
                self.assertEqual(p.returncode, 0, p.stdout + p.stderr)
                self.relay.wait_empty()
                self.assertEqual(len(self.hop.messages), seen + 1)

    def s_client(self, *words, text="QUIT\r\n", port=None):
        where = ["-connect", f"127.0.0.1:{port or self.port}"]
        if port is None:
            where += ["-starttls", "smtp"]
        return subprocess.run(
            ["openssl", "s_client", *where, "-CAfile",
             self.certificate.chain, *words], input=text,
            capture_output=True, text=True, check=False,
            timeout=basics.PATIENCE)

    def test_versions(self):
        for words, version in (([], "TLSv1.3"), (["-tls1_2"], "TLSv1.2")):
            p = self.s_client("-brief", *words)
            self.assertIn(f"Protocol version: {version}", p.stderr)
            self.assertIn("Verification: OK", p.stderr)
        for words in (["-tls1_1"], ["-tls1"]):
            p = self.s_client(*words, "-cipher", "DEFAULT:@SECLEVEL=0")
            self.assertNotEqual(p.returncode, 0, words)
            self.assertIn("no peer certificate available", p.stdout)

    def test_renegotiation(self):
        p = self.s_client("-tls1_2", text="R\n")
        self.assertIn("RENEGOTIATING", p.stdout + p.stderr)
        self.assertIn("no renegotiation", p.stdout + p.stderr)

    def test_protocols_of_others(self):
        for offer, is_good in (("smtp", True), ("h2,smtp", True),
                               ("h2,http/1.1", False)):
            p = self.s_client("-alpn", offer, port=self.implicit)
            with self.subTest(offer):
                self.assertEqual("ALPN protocol: smtp" in p.stdout, is_good)
                self.assertEqual("no application protocol" in p.stderr,
                                 not is_good, p.stderr)

    def test_the_relay_goes_on(self):
        """After all that was tried: T20."""
        before = self.relay.pids("smtpd")
        for words in (["-msg", "-early_data", "/dev/null"],
                      ["-servername", "a" * 200 + ".example"],
                      ["-ciphersuites", "TLS_AES_128_CCM_SHA256"],
                      ["-groups", "P-521"]):
            self.s_client(*words, port=self.implicit)
        self.s_client("-brief")
        self.assertEqual(self.relay.pids("smtpd"), before)
        self.assertNotIn("child_died", self.relay.log())


class Attacks(Tls):
    def closed(self, s):
        """All that came until the end."""
        got = b""
        try:
            while True:
                piece = s.recv(4096)
                if not piece:
                    return got
                got += piece
        except ConnectionError:
            return got

    def test_commands_behind_starttls(self):
        """In the same segment: 554, closed, nothing done (CVE-2011-0411)."""
        for more in (b"NOOP\r\n", b"RSET\r\nNOOP\r\n", b"X",
                     b"MAIL FROM:<evil@b.example>\r\n"
                     b"RCPT TO:<b@served.example>\r\nDATA\r\nx\r\n.\r\n"):
            c = client.Client(self.port)
            c.command("EHLO client.example")
            c.socket.sendall(b"STARTTLS\r\n" + more)
            got = self.closed(c.socket)
            with self.subTest(more):
                self.assertRegex(got, rb"\A554 5\.5\.1 [^\r\n]*\r\n\Z")
        self.assertEqual(len(self.hop.messages), 0)

    def test_commands_instead_of_a_handshake(self):
        """Behind the 220: never executed, and no word in clear."""
        c = client.Client(self.port)
        c.command("EHLO client.example")
        self.assertEqual(c.command("STARTTLS").code, 220)
        c.socket.sendall(b"EHLO c\r\nMAIL FROM:<a@b.example>\r\n")
        got = self.closed(c.socket)
        # a TLS alert at most
        self.assertNotRegex(got, rb"250|220|5\d\d ")
        basics.wait_for("a line", lambda: "tls_failed" in self.relay.log())

    def test_a_handshake_that_never_comes(self):
        """Its client can't hold the process at its end."""
        idle = []
        for port, begin in ((self.port, True), (self.implicit, False)):
            s = socket.create_connection(("127.0.0.1", port))
            if begin:
                f = s.makefile("rb")
                f.readline()
                s.sendall(b"EHLO c\r\n")
                while f.readline()[3:4] == b"-":
                    pass
                s.sendall(b"STARTTLS\r\n")
                self.assertTrue(f.readline().startswith(b"220 "))
            s.sendall(b"\x16\x03\x01")
            idle.append(s)
        self.relay.send()
        self.relay.wait_empty()
        for s in idle:
            s.close()

    def test_http_at_the_implicit_port(self):
        s = socket.create_connection(("127.0.0.1", self.implicit))
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        self.assertNotIn(b"220", self.closed(s))


class Certificates(Tls):
    def shown(self, name=None, context=None):
        with self.connect(context or trusting_all(),
                          name or "relay.example.org") as s:
            return s.getpeercert(True)

    def test_by_name_and_by_kind(self):
        rsa = self.make("rsa", kind="rsa")
        other = self.make("other", names=("other.example.org",))
        self.configure(self.certificate, rsa, other)
        self.reload()
        self.assertEqual(self.shown(), self.certificate.der())
        self.assertEqual(self.shown("other.example.org"), other.der())
        self.assertEqual(self.shown("unknown.example"),
                         self.certificate.der())
        old = trusting_all()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        old.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
        self.assertEqual(self.shown(context=old), rsa.der())

    def reload(self, is_good=True):
        p = self.relay.try_ctl("reload")
        self.assertEqual(p.returncode == 0, is_good, p.stdout + p.stderr)
        return p.stdout + p.stderr

    def test_renewed_without_dropping_a_session(self):
        """As certbot does it: links in live/ that lead somewhere else."""
        live = os.path.join(self.relay.folder, "live")
        os.mkdir(live)
        new = self.make("new", kind="rsa")
        links = {}
        for suffix in ("pem", "key"):
            links[suffix] = os.path.join(live, f"cert.{suffix}")
            os.symlink(f"../cert.{suffix}", links[suffix])
        self.relay.configure(tls={"certificate": links["pem"],
                                  "key": links["key"]})
        self.reload()
        self.assertEqual(self.shown(), self.certificate.der())
        session = self.connect()
        session.sendall(b"EHLO c\r\n")
        session.recv(4096)
        for suffix, link in links.items():
            os.symlink(f"../new.{suffix}", link + ".tmp")
            os.replace(link + ".tmp", link)
        self.reload()
        self.assertEqual(self.shown(), new.der())
        session.sendall(b"NOOP\r\n")
        self.assertTrue(session.recv(4096).startswith(b"250 "))
        session.close()

    def test_a_key_of_another(self):
        """Refused with words; the old ones stay; -t and a start refuse it,
        too."""
        other = self.make("other")
        self.relay.configure(tls={"certificate": [self.certificate.chain],
                                  "key": [other.key]})
        self.assertIn("its key in tls.key is that of another certificate",
                      self.reload(False))
        self.assertEqual(self.shown(), self.certificate.der())
        p = run(*self.relay.command("mtad", "-t"))
        self.assertEqual(p.returncode, 1)
        self.assertIn(f"{self.certificate.chain}: its key in tls.key is that "
                      "of another certificate", p.stderr)
        self.relay.stop()
        p = run(*self.relay.command("mtad"))
        self.assertEqual(p.returncode, 1)
        self.assertIn("another certificate", p.stderr)
        self.configure(self.certificate)
        self.relay.start()

    def test_stapled_response(self):
        """The file of the certificate that is shown, and none for others."""
        folder, c = self.relay.folder, self.certificate
        other = self.make("other", names=("other.example.org",))
        serial = run("openssl", "x509", "-in", c.chain, "-noout",
                     "-serial").stdout.strip()[7:]
        index = os.path.join(folder, "index")
        with open(index, "w", encoding="ascii") as f:
            f.write(f"V\t471231235959Z\t\t{serial}\tunknown\t/CN=x\n")
        response = os.path.join(folder, "response")
        p = run("openssl", "ocsp", "-index", index, "-rsigner", c.chain,
                "-rkey", c.key, "-CA", c.chain, "-issuer", c.chain,
                "-cert", c.chain, "-respout", response, "-ndays", "7")
        self.assertEqual(p.returncode, 0, p.stderr)
        empty = os.path.join(folder, "empty")
        with open(empty, "wb"):
            pass
        self.configure(c, other)
        self.relay.configure(tls={
            "certificate": [c.chain, other.chain],
            "key": [c.key, other.key], "ocsp": [response, empty]})
        self.reload()
        for name, has in (("relay.example.org", True),
                          ("other.example.org", False)):
            p = run("openssl", "s_client", "-connect",
                    f"127.0.0.1:{self.implicit}", "-status", "-servername",
                    name, "-CAfile", c.chain)
            self.assertEqual("OCSP Response Status: successful" in p.stdout,
                             has, name)
        self.relay.configure(tls={"ocsp": [index, empty]})
        self.assertIn("no successful OCSP response", self.reload(False))

    def test_soon_expired(self):
        late = self.make("late", days=3)
        self.configure(late)
        self.assertIn("expires within 14 days", self.reload())

    def test_keyd_dies(self):
        """Its successor signs; meanwhile clients are asked to wait."""
        self.relay.kill("keyd")
        basics.wait_for("TLS", lambda: self.try_shown() ==
                        self.certificate.der())

    def test_keyd_is_stopped(self):
        pid = self.relay.pids("keyd")[0]
        os.kill(pid, signal.SIGSTOP)
        try:
            with self.assertRaises((ssl.SSLError, OSError)):
                self.shown()
            # one handshake in vain, and it is known
            c = client.Client(self.port)
            c.command("EHLO client.example")
            self.assertEqual(c.command("NOOP").code, 250)
            self.assertEqual(c.command("STARTTLS").code, 454)
            c.close()
        finally:
            os.kill(pid, signal.SIGCONT)
        basics.wait_for("TLS", self.try_shown)

    def try_shown(self):
        try:
            return self.shown()
        except (ssl.SSLError, OSError, AssertionError):
            return None


@unittest.skipUnless(basics.is_root(), "needs root")
class Secrets(Tls):
    """The primes of a key lie in keyd's memory and the parent's file bytes,
    and in no process that reads a network (T51)."""
    kind = "rsa"

    def test_no_prime_outside_of_keyd(self):
        for _ in range(3):
            self.connect().close()
        needles = []
        for prime in self.certificate.primes():
            # a part of it, as OpenSSL has it and as the file has it
            needles += [prime[8:40], prime[::-1][8:40]]
        with open(self.certificate.key, "rb") as f:
            needles.append(f.read().split(b"\n")[5])
        pids = self.relay.pids()
        self.assertTrue(any(memory.holds(p, needles) for p in pids["keyd"]),
                        "the search finds nothing even in keyd")
        for name in ("smtpd", "deliverd", "dnsd", "fetchd", "queued"):
            for pid in pids[name]:
                self.assertFalse(memory.holds(pid, needles), name)


if __name__ == "__main__":
    basics.main()
