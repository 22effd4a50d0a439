"""Certificates shown at next hops (routes[].tls_certificate): to scripted hosts, a
Postfix and another mtad; with keys that only keyd has (T51)."""
import os
import ssl
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, memory, nexthop, postfix, relay
from support.certificate import Certificate
from support.client_ca import ClientCA

OFFER = b"250-hop.example\r\n250-PIPELINING\r\n250 AUTH %s\r\n"


class Hops(unittest.TestCase):
    def setUp(self):
        self.relay = relay.Relay(start=False, queue={"first_retry": "1h",
                                                     "max_retry": "1h"})
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)
        folder = self.relay.folder
        self.certificate = Certificate(folder, "hop", names=("localhost",))
        self.ca = ClientCA(folder)
        self.chain, self.key = self.ca.user("Relay", "relay@example.org")

    def route(self, port, scheme="smtp", **route):
        return {"to": "*", "via": f"{scheme}://localhost:{port}",
                "tls": "required", "tls_certificate": self.chain,
                "tls_key": self.key, **route}

    def configure(self, *routes, **more):
        self.relay.configure(
            routes=list(routes), tls={"authorities": self.certificate.chain},
            deliver={"reply_timeout": "3s", "address_family": "ipv4",
                     "idle_timeout": "0s"}, **more)

    def hop(self, is_implicit=False, asks=ssl.CERT_REQUIRED, ca=None,
            version=None, **script):
        context = self.certificate.server()
        context.verify_mode = asks
        context.load_verify_locations((ca or self.ca).pem)
        if version is not None:
            context.maximum_version = version
        hop = nexthop.NextHop(tls=context, is_implicit=is_implicit,
                              MAIL=self.look, **script)
        self.addCleanup(hop.close)
        return hop

    @staticmethod
    def look(_, session):
        seen = session.peer.getpeercert() if session.tls else None
        session.seen = dict(pair for rdn in seen["subject"]
                            for pair in rdn) if seen else None

    def fate(self, hop, count=1):
        """The session that took it, or the words of its deferral."""
        self.relay.send()
        basics.wait_for("a fate", lambda: len(hop.messages) >= count or
                        "deferred " in self.relay.log())
        if len(hop.messages) >= count:
            return hop.messages[-1].session
        return next(line for line in self.relay.log().splitlines()
                    if "deferred " in line)

    def again(self):
        self.relay.stop()
        os.unlink(self.relay.log_path)

    def check(self):
        return subprocess.run(self.relay.command("mtad", "-t"), text=True,
                              capture_output=True, check=False)


class Shown(Hops):
    def test_to_who_asks(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for is_implicit in (False, True):
                hop = self.hop(is_implicit, version=version)
                self.configure(self.route(
                    hop.port, "smtps" if is_implicit else "smtp"))
                self.relay.start()
                session = self.fate(hop)
                self.assertEqual(session.seen["commonName"], "Relay")
                self.assertEqual(session.tls, version.name.replace(
                    "v1_", "v1."))
                self.again()

    def test_to_nobody_else(self):
        """A host that does not ask; and a rule without one."""
        hop = self.hop(asks=ssl.CERT_NONE)
        self.configure(self.route(hop.port))
        self.relay.start()
        self.assertIsNone(self.fate(hop).seen)

    def test_no_connection_is_shared(self):
        hop = self.hop(asks=ssl.CERT_OPTIONAL)
        with_one = self.route(hop.port, to="a@else.example")
        self.configure(with_one, {
            "to": "*", "via": f"smtp://localhost:{hop.port}",
            "tls": "required"})
        self.relay.configure(deliver={"idle_timeout": "1m",
                                      "address_family": "ipv4"})
        self.relay.start()
        for number in range(1, 3):
            for to in ("a@else.example", "b@else.example"):
                self.relay.send(to=[to])
            basics.wait_for("both", lambda: len(hop.messages) == 2 * number)
        for message in hop.messages:
            seen = message.session.seen
            self.assertEqual(seen and seen["commonName"], "Relay"
                             if message.recipients == ["a@else.example"]
                             else None)

    def test_never_in_clear(self):
        """Who is to know us by it would not know us."""
        hop = nexthop.NextHop()
        self.addCleanup(hop.close)
        self.configure(self.route(hop.port, tls="opportunistic"))
        self.relay.start()
        self.assertIn("offers no STARTTLS", self.fate(hop))
        self.assertEqual(hop.messages, [])

    def test_refused(self):
        """With an alert, which in TLS 1.3 comes behind the handshake."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            hop = self.hop(ca=ClientCA(self.relay.folder, "other"),
                           version=version)
            self.configure(self.route(hop.port, tls="opportunistic"))
            self.relay.start()
            self.assertRegex(self.fate(hop), "(?i)unknown ca")
            self.assertEqual(hop.messages, [])
            self.again()

    def test_reload(self):
        """The new one is shown, and a bad one is not taken over."""
        hop = self.hop()
        self.configure(self.route(hop.port))
        self.relay.start()
        self.assertEqual(self.fate(hop).seen["commonName"], "Relay")
        chain, key = self.ca.user("Renewed")
        other, _ = self.ca.user("Other")
        os.replace(other, self.chain)
        p = self.relay.try_ctl("reload")
        self.assertNotEqual(p.returncode, 0)
        self.assertIn("routes[].tls_key is that of another certificate",
                      p.stdout + p.stderr)
        os.replace(chain, self.chain)
        os.replace(key, self.key)
        self.relay.ctl("reload")
        basics.wait_for("the new one", lambda: self.fate(
            hop, len(hop.messages) + 1).seen["commonName"] == "Renewed")

    def test_keyd_dies(self):
        hop = self.hop()
        self.configure(self.route(hop.port))
        self.relay.start()
        self.fate(hop)
        for number in (2, 3):
            self.relay.kill("keyd")
            self.relay.send()
            # one that was about to be signed waits, as any failure does
            basics.wait_for("mail", lambda n=number: len(hop.messages) >= n or
                            self.relay.ctl("queue", "retry", "all") and False,
                            pause=0.5)
            self.assertEqual(hop.messages[-1].session.seen["commonName"],
                             "Relay")

    def test_deliverd_dies(self):
        hop = self.hop()
        self.configure(self.route(hop.port))
        self.relay.start()
        self.relay.kill("deliverd")
        self.assertEqual(self.fate(hop).seen["commonName"], "Relay")

    def test_mistakes(self):
        via = "smtps://localhost:465"
        pair = {"tls_certificate": self.chain, "tls_key": self.key}
        for route, words in (
                ({"tls_certificate": self.chain}, "go together"),
                ({"tls_key": self.key}, "go together"),
                ({**pair, "tls": "none"}, "there is no TLS"),
                ({"auth": {"mechanism": "external"}},
                 "needs tls_certificate"),
                ({**pair, "via": "mx", "auth": {"mechanism": "external"}},
                 "hosts that are named"),
                ({**pair, "auth": {"mechanism": "external", "user": "u",
                                   "password_file": self.key}},
                 "needs no auth.password_file"),
                ({"auth": {"mechanism": "plain"}},
                 "needs auth.password_file"),
                ({"tls_certificate": self.chain,
                  "tls_key": self.certificate.key},
                 "routes[].tls_key is that of another certificate"),
                ({"tls_certificate": self.key, "tls_key": self.key},
                 "is no certificate chain")):
            self.relay.configure(routes=[{"to": "*", "via": via, **route}])
            p = self.check()
            self.assertEqual(p.returncode, 1, route)
            self.assertIn(words, p.stderr)
        self.relay.configure(routes=[{"to": "*", "via": via, **pair}])
        self.assertEqual(self.check().returncode, 0)
        os.chmod(self.key, 0o644)
        self.assertIn("secret", self.check().stderr)
        os.chmod(self.key, 0o600)
        self.chain, self.key = self.ca.user("Web", usage="serverAuth")
        self.relay.configure(routes=[self.route(465)])
        p = self.check()
        self.assertEqual(p.returncode, 0)
        self.assertIn("clientAuth", p.stderr)


@unittest.skipUnless(basics.is_root(), "needs root")
class Secrets(Hops):
    def test_no_prime_outside_of_keyd(self):
        pair = Certificate(self.relay.folder, "rsa", kind="rsa",
                           names=("relay.example.org",))
        self.chain, self.key = pair.chain, pair.key
        hop = self.hop(asks=ssl.CERT_OPTIONAL, ca=type(
            "Own", (), {"pem": pair.chain}))
        self.configure(self.route(hop.port))
        self.relay.start()
        for number in range(1, 4):
            self.assertIsNotNone(self.fate(hop, number).seen)
        needles = []
        for prime in pair.primes():
            needles += [prime[8:40], prime[::-1][8:40]]
        with open(pair.key, "rb") as f:
            needles.append(f.read().split(b"\n")[5])
        pids = self.relay.pids()
        self.assertTrue(any(memory.holds(p, needles) for p in pids["keyd"]),
                        "the search finds nothing even in keyd")
        for name in ("smtpd", "deliverd", "dnsd", "queued"):
            for pid in pids[name]:
                self.assertFalse(memory.holds(pid, needles), name)


class External(Hops):
    """AUTH EXTERNAL (RFC 4422 appendix A)."""

    def test_scripted(self):
        for user, said in ((None, "="), ("relay@example.org",
                                         "cmVsYXlAZXhhbXBsZS5vcmc=")):
            hop = self.hop(True, EHLO=OFFER % b"PLAIN EXTERNAL",
                           AUTH=b"235 2.7.0 ok\r\n")
            auth = {"mechanism": "external"}
            if user is not None:
                auth["user"] = user
            self.configure(self.route(hop.port, "smtps", auth=auth))
            self.relay.start()
            session = self.fate(hop)
            self.assertEqual(session.lines[1], f"AUTH EXTERNAL {said}")
            self.again()

    def test_refused(self):
        for offer, words in ((b"EXTERNAL", "no such user"),
                             (b"PLAIN", "that can be made")):
            hop = self.hop(True, EHLO=OFFER % offer,
                           AUTH=b"535 5.7.8 no such user\r\n")
            self.configure(self.route(hop.port, "smtps",
                                      auth={"mechanism": "external"}))
            self.relay.start()
            self.assertIn(words, self.fate(hop))
            self.again()

    def test_another_mtad(self):
        """Submission there, without any password."""
        sink = nexthop.NextHop()
        self.addCleanup(sink.close)
        with relay.Relay(sink.port, start=False) as hub:
            port = basics.free_ports(1)[0]
            hub.configure(
                listeners=[{"address": f"127.0.0.1:{hub.port}"},
                           {"address": f"127.0.0.1:{port}",
                            "service": "submission"}],
                relay={"networks": ["127.0.0.99/32"]},
                tls={"certificate": self.certificate.chain,
                     "key": self.certificate.key},
                auth={"client_ca": self.ca.pem})
            hub.start()
            self.configure(self.route(port, tls="verified",
                                      auth={"mechanism": "external"}))
            self.relay.start()
            self.relay.send()
            basics.wait_for("mail", lambda: sink.messages)
            self.relay.wait_empty()
            self.assertIn("user=relay@example.org", hub.log())


@unittest.skipUnless(postfix.is_there(), "no private Postfix, no root")
class Postfix(Hops):
    def test_postfix(self):
        """It relays for verified certificates only, and says whose."""
        sink = nexthop.NextHop()
        self.addCleanup(sink.close)
        with postfix.Postfix(
                relayhost=f"[127.0.0.1]:{sink.port}", mynetworks="",
                smtpd_relay_restrictions="permit_tls_all_clientcerts, reject",
                smtpd_tls_security_level="may", smtpd_tls_ask_ccert="yes",
                smtpd_tls_CAfile=self.ca.pem,
                smtpd_tls_received_header="yes",
                smtpd_tls_cert_file=self.certificate.chain,
                smtpd_tls_key_file=self.certificate.key) as hub:
            self.configure(self.route(hub.port, tls="verified"))
            self.relay.start()
            self.relay.send()
            basics.wait_for("mail", lambda: sink.messages)
            self.relay.wait_empty()
            self.assertIn(b'(Client CN "Relay", Issuer "Users of example.org"'
                          b' (verified OK))', sink.messages[0].wire)
            self.configure({"to": "*", "tls": "verified",
                            "via": f"smtp://localhost:{hub.port}"})
            self.relay.ctl("reload")
            self.relay.send()
            basics.wait_for("a refusal", lambda: "Access denied" in
                            self.relay.log())
            self.assertEqual(len([m for m in sink.messages if m.sender]), 1)


if __name__ == "__main__":
    basics.main()
