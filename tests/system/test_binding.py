"""SCRAM-SHA-256-PLUS: channel binding between a client's TLS and ours, with
what Python's ssl knows of it and with GNU SASL's client.  AUTH-15, AUTH-16,
T18."""
import base64
import hashlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, passwords, relay
from support.certificate import Certificate, trusting_all

BERT = ("bert", "staple of bert")


def version(context, number):
    context.minimum_version = context.maximum_version = number
    return context


class Client:
    """A session of implicit TLS, and the words said in it."""

    def __init__(self, port, context, session=None):
        plain = socket.create_connection(("127.0.0.1", port),
                                         timeout=basics.PATIENCE)
        self.socket = context.wrap_socket(plain, session=session,
                                          server_hostname="relay.example.org")
        self.file = self.socket.makefile("rwb")
        self.read()
        self.ehlo = self.say("EHLO client.example")

    def read(self):
        reply = ""
        while True:
            line = self.file.readline().decode()
            reply += line
            if line[3:4] != "-":
                return reply.rstrip("\r\n")

    def say(self, line):
        self.file.write(line.encode() + b"\r\n")
        self.file.flush()
        return self.read()

    def mechanisms(self):
        return re.search(r"(?m)^250-AUTH (.*?)\r?$", self.ehlo)[1].split()

    def end_point(self):
        return hashlib.sha256(
            self.socket.getpeercert(binary_form=True)).digest()

    def unique(self):
        return self.socket.get_channel_binding("tls-unique")

    def scram(self, mechanism, flag, binding=b"", password=BERT[1]):
        """The last reply."""
        s = passwords.Scram(BERT[0], password, flag=flag, binding=binding)
        reply = self.say(f"AUTH {mechanism} "
                         + passwords.b64(s.first().encode()))
        if not reply.startswith("334 "):
            return reply
        first = base64.b64decode(reply[4:]).decode()
        reply = self.say(passwords.b64(s.final(first).encode()))
        if not reply.startswith("334 "):
            return reply
        s.check(base64.b64decode(reply[4:]).decode())
        return self.say("")

    def plus(self, kind, binding, **keys):
        return self.scram("SCRAM-SHA-256-PLUS", f"p={kind}", binding, **keys)

    def close(self):
        self.socket.close()


class Middle:
    """Stands between a client and the relay, each with a TLS session of its
    own; takes -PLUS off the list if asked to."""

    def __init__(self, port, certificate, strips):
        self.port, self.strips = port, strips
        self.server = certificate.server()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.own = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            client = self.server.wrap_socket(peer, server_side=True)
            relay_ = trusting_all().wrap_socket(
                socket.create_connection(("127.0.0.1", self.port)))
            threading.Thread(target=self.pass_on, daemon=True,
                             args=(client, relay_, False)).start()
            threading.Thread(target=self.pass_on, daemon=True,
                             args=(relay_, client, self.strips)).start()

    def pass_on(self, source, to, strips):
        try:
            while (data := source.recv(65536)):
                if strips:
                    data = data.replace(b" SCRAM-SHA-256-PLUS", b"")
                to.sendall(data)
            to.close()
        except OSError:
            pass

    def close(self):
        self.listener.close()


class Polite:
    """Says EHLO for a client that begins with STARTTLS, and then passes on
    what both say, TLS and all."""

    def __init__(self, port):
        self.port = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.sockets = [self.listener]
        self.own = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.port))
            self.sockets += [peer, far]
            peer.sendall(far.recv(4096))
            far.sendall(b"EHLO client.example\r\n")
            reply = b""
            while not re.search(rb"(?m)^250 .*\r\n", reply):
                reply += far.recv(4096)
            for a, b in ((peer, far), (far, peer)):
                threading.Thread(target=self.pass_on, args=(a, b),
                                 daemon=True).start()

    def pass_on(self, source, to):
        try:
            while (data := source.recv(65536)):
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        for s in self.sockets:
            s.close()


class Binding(unittest.TestCase):
    kind = "p256"

    def setUp(self):
        self.hop = nexthop.NextHop()
        self.addCleanup(self.hop.close)
        self.relay = relay.Relay(self.hop.port, start=False)
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)
        self.port, self.implicit = basics.free_ports(2)
        self.certificate = Certificate(self.relay.folder, kind=self.kind)
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
            tls={"certificate": self.certificate.chain,
                 "key": self.certificate.key},
            auth={"passwords": self.file})
        self.relay.start()

    def client(self, number=ssl.TLSVersion.TLSv1_3, port=None, session=None,
               context=None):
        c = Client(port or self.implicit,
                   context or version(trusting_all(), number), session)
        self.addCleanup(c.close)
        return c


class Scripted(Binding):
    def test_each_type(self):
        c = self.client()
        self.assertIn("SCRAM-SHA-256-PLUS", c.mechanisms())
        self.assertRegex(c.plus("tls-server-end-point", c.end_point()),
                         r"\A235 ")
        for line in ("MAIL FROM:<a@sender.example>",
                     "RCPT TO:<b@else.example>", "DATA", "hello\r\n."):
            self.assertRegex(c.say(line), r"\A[23]")
        basics.wait_for("mail", lambda: self.hop.messages)
        self.assertRegex(self.relay.log(), r"accepted .* user=bert "
                         r"mechanism=SCRAM-SHA-256-PLUS ")
        for kind, data in (("tls-server-end-point", Client.end_point),
                           ("tls-unique", Client.unique)):
            c = self.client(ssl.TLSVersion.TLSv1_2)
            self.assertRegex(c.plus(kind, data(c)), r"\A235 ", kind)

    def test_resumed_sessions(self):
        """The certificate was shown in another session."""
        for number in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = version(trusting_all(), number)
            c = self.client(context=context)
            shown = c.end_point()
            again = self.client(context=context, session=c.socket.session)
            self.assertTrue(again.socket.session_reused)
            self.assertRegex(again.plus("tls-server-end-point", shown),
                             r"\A235 ")
        context = version(trusting_all(), ssl.TLSVersion.TLSv1_2)
        c = self.client(context=context)
        again = self.client(context=context, session=c.socket.session)
        self.assertTrue(again.socket.session_reused)
        self.assertRegex(again.plus("tls-unique", again.unique()), r"\A235 ")

    def test_what_is_refused(self):
        c = self.client(ssl.TLSVersion.TLSv1_2)
        other = self.client(ssl.TLSVersion.TLSv1_2)
        for kind, data in (("tls-unique", other.unique()),
                           ("tls-unique", c.end_point()),
                           ("tls-exporter", bytes(32)),
                           ("tls-unique-for-telnet", c.unique()),
                           ("tls-unique", b"")):
            self.assertRegex(c.plus(kind, data), r"\A535 5\.7\.8 Channel")
            c = self.client(ssl.TLSVersion.TLSv1_2)
        # tls-unique is nothing in TLS 1.3, RFC 9266
        c = self.client()
        self.assertRegex(c.plus("tls-unique", bytes(12)), r"\A535 5\.7\.8 C")
        self.assertRegex(c.plus("tls-server-end-point", c.end_point(),
                                password="wrong"),
                         r"\A535 5\.7\.8 Wrong user")
        self.assertRegex(self.relay.log(), r"rejected stage=AUTH .*Channel")

    def test_flags(self):
        c = self.client()
        self.assertRegex(c.scram("SCRAM-SHA-256", "y"), r"\A535 5\.7\.8 Chan")
        self.assertRegex(c.scram("SCRAM-SHA-256-PLUS", "n"), r"\A535 ")
        self.assertRegex(c.scram("SCRAM-SHA-256", "p=tls-server-end-point",
                                 c.end_point()), r"\A501 ")
        self.assertRegex(c.scram("SCRAM-SHA-256", "n"), r"\A235 ")

    def test_somebody_between(self):
        """Who has another TLS session, and a certificate that the client
        takes: neither what is bound gets through nor what was stripped."""
        other = Certificate(self.relay.folder, "other")
        for strips in (False, True):
            middle = Middle(self.implicit, other, strips)
            self.addCleanup(middle.close)
            c = self.client(port=middle.own)
            self.assertEqual("SCRAM-SHA-256-PLUS" in c.mechanisms(),
                             not strips)
            if strips:
                reply = c.scram("SCRAM-SHA-256", "y")
            else:
                reply = c.plus("tls-server-end-point", c.end_point())
            self.assertRegex(reply, r"\A535 5\.7\.8 Channel")

    @unittest.skipUnless(shutil.which("gsasl"), "no gsasl")
    def test_gsasl(self):
        """tls-exporter in TLS 1.3, tls-unique in 1.2."""
        polite = Polite(self.port)
        self.addCleanup(polite.close)
        for number, first in (("1.3", b"p=tls-exporter,,"),
                              ("1.2", b"p=tls-unique,,n=")):
            priority = f"NORMAL:-VERS-ALL:+VERS-TLS{number}"
            for method in ("SCRAM-SHA-256-PLUS", "PLAIN"):
                p = subprocess.run(
                    ["gsasl", "--smtp", f"--connect=127.0.0.1:{polite.own}",
                     "--starttls", "--x509-ca-file=", f"--priority={priority}", f"--mechanism={method}",
                     f"--authentication-id={BERT[0]}",
                     f"--password={BERT[1]}",
                     "--no-client-first", "--verbose"],
                    capture_output=True, text=True, check=False,
                    stdin=subprocess.DEVNULL, timeout=basics.PATIENCE)
                self.assertIn("Client authentication finished", p.stderr,
                              p.stdout)
                self.assertIn("235 2.7.0", p.stdout, p.stderr)
                if method != "PLAIN":
                    # its first message, in base64
                    self.assertIn(passwords.b64(first)[:20], p.stdout)


class Ed25519(Binding):
    """A certificate whose signature has no hash of its own."""
    kind = "ed25519"

    def test_end_point(self):
        c = self.client()
        self.assertIn("SCRAM-SHA-256-PLUS", c.mechanisms())
        self.assertRegex(c.plus("tls-server-end-point", c.end_point()),
                         r"\A535 ")


if __name__ == "__main__":
    unittest.main()
