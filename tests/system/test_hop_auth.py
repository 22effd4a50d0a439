"""Authentication at next hops: another mtad, a Postfix whose users are a
Dovecot's, hosts that ask for each mechanism,
that refuse, lie and stall; the password in nobody's memory but keyd's (T51)."""
import base64
import hashlib
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import (basics, dovecot, memory, nexthop, passwords, postfix,
                     relay)
from support.certificate import Certificate

USER, PASSWORD = "relay@example.org", "Xq7 unlikely=word,Zk9"
OFFER = b"250-hop.example\r\n250-PIPELINING\r\n250 AUTH %s\r\n"


def coded(text):
    return base64.b64encode(text.encode())


class Hops(unittest.TestCase):
    def setUp(self):
        self.relay = relay.Relay(start=False, queue={"first_retry": "1h",
                                                     "max_retry": "1h"})
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)
        self.certificate = Certificate(self.relay.folder, "hop",
                                       names=("localhost",))
        self.secret = os.path.join(self.relay.folder, "secret")
        self.write(PASSWORD + "\n")

    def write(self, text):
        with open(self.secret, "w", encoding="utf-8",
                  opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(text)

    def configure(self, port, scheme="smtps", host="localhost", user=USER,
                  **route):
        self.relay.configure(
            routes=[{"to": "*", "via": f"{scheme}://{host}:{port}",
                     "auth": {"user": user, "password_file": self.secret},
                     **route}],
            tls={"authorities": self.certificate.chain},
            deliver={"reply_timeout": "3s", "address_family": "ipv4"})

    def hop(self, mechanisms, **script):
        hop = nexthop.NextHop(tls=self.certificate.server(),
                              is_implicit=True,
                              **{"EHLO": OFFER % mechanisms.encode(),
                                 **script})
        self.addCleanup(hop.close)
        return hop

    def fate(self, hop):
        """The session that took it, or the words of its deferral."""
        self.relay.send()
        basics.wait_for("a fate", lambda: hop.messages or
                        "deferred " in self.relay.log())
        if hop.messages:
            self.relay.wait_empty()
            return hop.messages[-1].session
        self.assertNotIn("MAIL", [stage for session in hop.sessions
                                  for stage in session.stages])
        return next(line for line in self.relay.log().splitlines()
                    if "deferred " in line)

    def go(self, hop, **route):
        self.configure(hop.port, **route)
        self.relay.start()
        return self.fate(hop)


class Mechanisms(Hops):
    def test_plain(self):
        said = coded(f"\0{USER}\0{PASSWORD}").decode()
        hop = self.hop("LOGIN PLAIN", AUTH=b"235 2.7.0 ok\r\n")
        session = self.go(hop)
        self.assertEqual(session.lines[1], f"AUTH PLAIN {said}")
        self.relay.send()
        basics.wait_for("both", lambda: len(hop.messages) == 2)
        # once a connection
        self.assertEqual(hop.sessions[0].stages.count("AUTH"), 1)

    def test_login(self):
        def auth(_, session):
            session.peer.sendall(b"334 VXNlcm5hbWU6\r\n")
            session.got = [session.until(b"\n")]
            session.peer.sendall(b"334 UGFzc3dvcmQ6\r\n")
            session.got.append(session.until(b"\n"))
            return b"235 ok\r\n"
        session = self.go(self.hop("LOGIN", AUTH=auth))
        self.assertEqual(session.got, [coded(USER) + b"\r\n",
                                       coded(PASSWORD) + b"\r\n"])

    def test_user_of_the_host(self):
        hop = self.hop("PLAIN", AUTH=b"235 ok\r\n")
        self.relay.configure(
            routes=[{"to": "*", "via": [f"smtps://bob@localhost:{hop.port}"],
                     "auth": {"password_file": self.secret}}],
            tls={"authorities": self.certificate.chain},
            deliver={"address_family": "ipv4"})
        self.relay.start()
        session = self.fate(hop)
        self.assertEqual(base64.b64decode(session.lines[1].split()[2]),
                         f"\0bob\0{PASSWORD}".encode())

    def scram(self, hop_password, verdict=b"235 ok\r\n", server=None):
        salt = b"0123456789abcdef"

        def auth(command, session):
            first = base64.b64decode(command.split()[2]).decode()
            bare = first.removeprefix("n,,")
            ours = bare.split(",r=")[1]
            reply = f"r={ours}more,s={passwords.b64(salt)},i=4096"
            session.peer.sendall(b"334 " + coded(reply) + b"\r\n")
            final = base64.b64decode(session.until(b"\n")).decode()
            without, proof = final.rsplit(",p=", 1)
            message = ",".join((bare, reply, without)).encode()
            salted = hashlib.pbkdf2_hmac("sha256", hop_password.encode(),
                                         salt, 4096)
            key = passwords.hmac256(salted, b"Client Key")
            mask = passwords.hmac256(hashlib.sha256(key).digest(), message)
            session.proved = base64.b64decode(proof) == bytes(
                a ^ b for a, b in zip(key, mask))
            sign = passwords.hmac256(passwords.hmac256(
                server or salted, b"Server Key"), message)
            session.peer.sendall(b"334 " + coded(
                "v=" + passwords.b64(sign)) + b"\r\n")
            session.until(b"\n")
            return verdict
        return auth

    def test_scram(self):
        session = self.go(self.hop("PLAIN SCRAM-SHA-256 LOGIN",
                                   AUTH=self.scram(PASSWORD)))
        self.assertTrue(session.proved)
        self.assertIn("n=relay@example.org,", base64.b64decode(
            session.lines[1].split()[2]).decode())
        self.assertNotIn(coded(PASSWORD), session.raw)

    def test_a_host_that_does_not_know_the_password(self):
        hop = self.hop("SCRAM-SHA-256", AUTH=self.scram(
            PASSWORD, server=b"guess"))
        line = self.go(hop)
        self.assertIn("could not prove", line)
        self.assertTrue(hop.sessions[0].proved)

    def test_refused(self):
        """It waits, and says what the host said; the password is nowhere."""
        hop = self.hop("PLAIN", AUTH=b"535 5.7.8 bad credentials\r\n")
        line = self.go(hop)
        self.assertRegex(line, r"code=535 .*bad credentials")
        self.assertNotIn("unlikely", self.relay.log())
        message = json.loads(self.relay.ctl("queue", "list", "--json"))
        text = self.relay.ctl("message", "history", message["id"])
        self.assertIn("bad credentials", text)

    def test_no_auth_there(self):
        for ehlo, words in ((nexthop.EHLO, "offers no AUTH,"),
                            (OFFER % b"GSSAPI", "that can be made"),
                            (b"500 what\r\n", "offers no AUTH,")):
            with self.subTest(ehlo):
                hop = self.hop("", EHLO=ehlo)
                self.assertIn(words, self.go(hop))
                self.relay.stop()
                os.unlink(self.relay.log_path)

    def test_hosts_that_stop(self):
        for action in (nexthop.HANG, nexthop.CLOSE, nexthop.RESET,
                       b"334 more?\r\n", b"235 ok\r\n250 and\r\n",
                       b"\xff\r\n", b"235" + 5000 * b"-x\r\n235"):
            with self.subTest(action):
                hop = self.hop("PLAIN", AUTH=action)
                line = self.go(hop)
                self.assertIn("deferred", str(line))
                self.relay.stop()
                os.unlink(self.relay.log_path)


class Policy(Hops):
    """A password is for the host that can prove its name."""

    def test_starttls(self):
        hop = nexthop.NextHop(
            tls=self.certificate.server(), AUTH=b"235 ok\r\n",
            EHLO=lambda _, s: OFFER % b"PLAIN" if s.tls else None)
        self.addCleanup(hop.close)
        self.assertEqual(self.go(hop, scheme="smtp").tls, "TLSv1.3")

    def test_not_without_tls(self):
        """Neither when the offer was taken out on the way."""
        hop = nexthop.NextHop(EHLO=OFFER % b"PLAIN LOGIN",
                              AUTH=b"235 ok\r\n")
        self.addCleanup(hop.close)
        self.assertIn("STARTTLS", self.go(hop, scheme="smtp"))
        self.assertNotIn("AUTH", hop.sessions[0].stages)

    def test_not_to_another(self):
        """Verified by default; required is for who takes any certificate."""
        other = Certificate(self.relay.folder, "other", names=("localhost",))
        hop = nexthop.NextHop(tls=other.server(), is_implicit=True,
                              EHLO=OFFER % b"PLAIN", AUTH=b"235 ok\r\n")
        self.addCleanup(hop.close)
        self.assertRegex(self.go(hop), "(?i)self.signed")
        self.assertEqual(b"".join(s.raw for s in hop.sessions), b"")
        self.relay.stop()
        os.unlink(self.relay.log_path)
        self.configure(hop.port, tls="required")
        self.relay.start()
        self.relay.ctl("queue", "retry", "all")
        basics.wait_for("mail", lambda: hop.messages)

    def test_none(self):
        """To this host in clear; elsewhere with a proof only."""
        hop = nexthop.NextHop(EHLO=OFFER % b"PLAIN", AUTH=b"235 ok\r\n")
        self.addCleanup(hop.close)
        session = self.go(hop, scheme="smtp", host="127.0.0.1", tls="none")
        self.assertIsNone(session.tls)

    def test_mistakes(self):
        via = "smtps://localhost:465"
        secret = {"user": "u", "password_file": self.secret}
        for route, words in (
                ({"via": via, "auth": {"user": "u"}}, "go together"),
                ({"via": via, "auth": {"password_file": self.secret}},
                 "go together"),
                ({"via": "smtps://u@localhost"}, "go together"),
                ({"via": "mx", "auth": secret}, "hosts that are named"),
                ({"via": "smtp://hub.example", "tls": "none",
                  "auth": secret}, "is told no password")):
            self.relay.configure(routes=[{"to": "*", **route}])
            p = self.check()
            self.assertIn(words, p.stderr)
        for text, words in (("", "first line"), ("\n", "first line"),
                            (2000 * "x", "first line")):
            self.write(text)
            self.configure(1)
            p = self.check()
            self.assertEqual(p.returncode, 1)
            self.assertIn(words, p.stderr)
        self.write(PASSWORD)
        os.chmod(self.secret, 0o644)
        self.assertIn("secret", self.check().stderr)

    def check(self):
        return subprocess.run(self.relay.command("mtad", "-t"), text=True,
                              capture_output=True, check=False)


class Whole(Hops):
    def test_another_mtad(self):
        """Submission there: SCRAM, or PLAIN where its user has no secret."""
        sink = nexthop.NextHop()
        self.addCleanup(sink.close)
        for line in (passwords.scram_line, passwords.crypt_line):
            with self.subTest(line.__name__), relay.Relay(
                    sink.port, start=False) as hub:
                users = os.path.join(hub.folder, "users")
                with open(users, "w", encoding="utf-8",
                          opener=lambda p, f: os.open(p, f, 0o600)) as f:
                    f.write(line(USER, PASSWORD))
                port = basics.free_ports(1)[0]
                hub.configure(
                    listeners=[{"address": f"127.0.0.1:{hub.port}"},
                               {"address": f"127.0.0.1:{port}",
                                "service": "submission",
                                "tls": "implicit"}],
                    relay={"networks": ["127.0.0.99/32"]},
                    tls={"certificate": self.certificate.chain,
                         "key": self.certificate.key},
                    auth={"passwords": users})
                hub.start()
                self.configure(port)
                self.relay.start()
                seen = len(sink.messages)
                self.relay.send()
                basics.wait_for("mail", lambda: len(sink.messages) > seen)
                self.assertIn(f"user={USER}", hub.log())
                self.relay.stop()

    def test_keyd_dies_and_passwords_change(self):
        good = coded(f"\0{USER}\0new one").decode()
        hop = self.hop("PLAIN", AUTH=lambda line, _: b"235 ok\r\n"
                       if line.endswith(good) else b"535 5.7.8 no\r\n")
        self.go(hop)
        self.write("new one\r\nand a line of words\n")
        self.relay.ctl("reload")
        self.relay.kill("keyd")
        basics.wait_for("mail", lambda: hop.messages or
                        self.relay.ctl("queue", "retry", "all") and False,
                        pause=0.5)

    def test_memory(self):
        """Of a long one nothing that is said later hides the rest."""
        password = "".join(f"{i:x}-Zk9q" for i in range(120))[:900]
        self.write(password)

        def auth(_, session):
            session.peer.sendall(b"334 \r\n")
            session.got = session.until(b"\n").rstrip()
            return b"235 ok\r\n"
        session = self.go(self.hop("PLAIN", AUTH=auth))
        self.assertEqual(session.got, coded(f"\0{USER}\0{password}"))
        needles = [password[700:740].encode(), session.got[1000:1040]]
        for name in ("smtpd", "queued", "deliverd", "dnsd", "fetchd"):
            for pid in self.relay.pids(name):
                self.assertEqual(memory.holds(pid, needles), [], name)
        self.assertEqual(memory.holds(self.relay.pids("keyd")[0],
                                      needles[:1]), needles[:1])


@unittest.skipUnless(postfix.is_there() and dovecot.is_there(),
                     "no private Postfix and Dovecot, no root")
class Postfix(Hops):
    def test_postfix(self):
        """It takes mail from who has authenticated only."""
        sink = nexthop.NextHop()
        self.addCleanup(sink.close)
        folder = os.path.join(self.relay.folder, "dovecot")
        users = dovecot.Dovecot(folder, f"{folder}.sock", {USER: PASSWORD})
        self.addCleanup(users.close)
        port = basics.free_ports(1)[0]
        with open(f"{folder}/conf", "a", encoding="ascii") as f:
            f.write(f"service auth {{\n inet_listener {{\n"
                    f" address = 127.0.0.1\n port = {port}\n }}\n}}\n")
        users.start()
        with postfix.Postfix(
                relayhost=f"[127.0.0.1]:{sink.port}", mynetworks="",
                smtpd_relay_restrictions="permit_sasl_authenticated, reject",
                smtpd_sasl_auth_enable="yes", smtpd_sasl_type="dovecot",
                smtpd_sasl_path=f"inet:127.0.0.1:{port}",
                smtpd_tls_security_level="encrypt",
                smtpd_tls_auth_only="yes",
                smtpd_tls_cert_file=self.certificate.chain,
                smtpd_tls_key_file=self.certificate.key) as hub:
            self.configure(hub.port, scheme="smtp")
            self.relay.start()
            self.relay.send()
            basics.wait_for("mail", lambda: sink.messages)
            self.relay.wait_empty()
            self.assertIn(f"sasl_username={USER}", hub.log_text())
            self.write("wrong")
            self.relay.ctl("reload")
            self.relay.kill("deliverd")         # and its connection
            self.relay.send()
            self.relay.wait_log("code=535")
            self.assertEqual(len(sink.messages), 1)


if __name__ == "__main__":
    basics.main()
