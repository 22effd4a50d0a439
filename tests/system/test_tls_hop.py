"""TLS towards next hops: what each policy does with hosts that have it, lack
it, refuse it, stall it, or show the wrong certificate (TLS-10, TLS-11, TLS-13,
T31), against scripted hosts and a real Postfix."""
import os
import ssl
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, postfix, relay
from support.certificate import Certificate

STRIPPED = nexthop.EHLO


class Hops(unittest.TestCase):
    def setUp(self):
        self.relay = relay.Relay(start=False)
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)
        self.certificate = Certificate(self.relay.folder, "hop",
                                       names=("localhost",))

    def go(self, policy, hop, scheme="smtp", host="localhost", trusted=None):
        """One message by such a route; the session that it ended in, or the
        words of its deferral."""
        self.addCleanup(hop.close)
        route = {"to": "*", "via": f"{scheme}://{host}:{hop.port}"}
        if policy:
            route["tls"] = policy
        self.relay.configure(
            routes=[route],
            tls={"authorities": (trusted or self.certificate).chain},
            deliver={"reply_timeout": "3s", "address_family": "ipv4"})
        self.relay.start()
        self.relay.send()
        basics.wait_for("a fate", lambda: hop.messages or
                        "deferred " in self.relay.log())
        if hop.messages:
            self.relay.wait_empty()
            return hop.messages[-1].session
        return next(line for line in self.relay.log().splitlines()
                    if "deferred " in line)

    def hop(self, context=None, **script):
        return nexthop.NextHop(tls=context or self.certificate.server(),
                               **script)

    def test_opportunistic(self):
        session = self.go(None, self.hop())
        self.assertEqual(session.tls, "TLSv1.3")
        self.assertEqual(session.stages.count("EHLO"), 2)

    def test_opportunistic_by_the_history(self):
        self.go("opportunistic", self.hop())
        p = self.relay.try_ctl("message", "history", self.newest())
        self.assertIn("TLSv1.3/TLS_", p.stdout)

    def newest(self):
        return [w for w in self.relay.log().split() if w.startswith("id=")
                ][-1][3:]

    def test_none(self):
        session = self.go("none", self.hop())
        self.assertIsNone(session.tls)
        self.assertNotIn("STARTTLS", session.stages)

    def test_opportunistic_without_an_offer(self):
        self.assertIsNone(self.go(None, nexthop.NextHop()).tls)

    def test_opportunistic_falls_back(self):
        """454, or a handshake that fails: in clear, at once."""
        for script in ({"STARTTLS": b"454 4.7.0 not now\r\n"},
                       {"STARTTLS": b"220 go\r\n250 evil\r\n"},
                       {"STARTTLS": [nexthop.CLOSE, None]}):
            with self.subTest(script):
                session = self.go(None, self.hop(**script))
                self.assertIsNone(session.tls)
                self.relay.stop()

    def test_opportunistic_old_version(self):
        old = self.certificate.server()
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        self.assertIsNone(self.go(None, self.hop(old)).tls)

    def test_required(self):
        """Any certificate will do, but clear text won't."""
        other = Certificate(self.relay.folder, "other", names=("x.example",))
        session = self.go("required", self.hop(other.server()))
        self.assertEqual(session.tls, "TLSv1.3")

    def test_required_and_stripped(self):
        for hop in (nexthop.NextHop(),
                    self.hop(EHLO=STRIPPED),
                    self.hop(STARTTLS=b"454 4.7.0 not now\r\n"),
                    self.hop(STARTTLS=b"220 go\r\n250 evil\r\n"),
                    self.hop(STARTTLS=nexthop.CLOSE),
                    self.hop(STARTTLS=nexthop.HANG),
                    self.hop(EHLO=b"500 what\r\n")):
            with self.subTest(hop.script):
                line = self.go("required", hop)
                self.assertIn("deferred", str(line))
                for session in hop.sessions:
                    self.assertNotIn("MAIL", session.stages)
                self.relay.stop()
                os.unlink(self.relay.log_path)

    def test_verified(self):
        session = self.go("verified", self.hop())
        self.assertEqual(session.tls, "TLSv1.3")
        p = self.relay.try_ctl("message", "history", self.newest())
        self.assertIn(" verified", p.stdout)

    def test_verified_by_the_wrong_name(self):
        other = Certificate(self.relay.folder, "other", names=("x.example",))
        line = self.go("verified", self.hop(other.server()), trusted=other)
        self.assertRegex(line, "(?i)hostname mismatch")

    def test_verified_by_nobody(self):
        other = Certificate(self.relay.folder, "other",
                            names=("localhost",))
        line = self.go("verified", self.hop(other.server()))
        self.assertRegex(line, "(?i)self.signed")

    def test_implicit(self):
        hop = self.hop(is_implicit=True)
        session = self.go(None, hop, scheme="smtps")
        self.assertEqual(session.tls, "TLSv1.3")
        self.assertEqual(session.stages.count("EHLO"), 1)

    def test_implicit_is_never_in_clear(self):
        hop = nexthop.NextHop()
        line = self.go(None, hop, scheme="smtps")
        self.assertIn("deferred", str(line))
        for session in hop.sessions:
            self.assertNotRegex(session.raw, b"(?i)ehlo|mail from|quit")

    def test_large(self):
        """Back-pressure through TLS."""
        hop = self.hop()
        self.relay.configure(routes=[{"to": "*", "tls": "required",
                                      "via": f"smtp://localhost:{hop.port}"}],
                             deliver={"address_family": "ipv4"})
        self.addCleanup(hop.close)
        self.relay.start()
        body = b"".join(b"%07d %s\r\n" % (i, b"z" * (i % 60))
                        for i in range(80000))
        self.relay.send(content=b"Subject: x\r\n\r\n" + body)
        self.relay.wait_empty()
        self.assertTrue(hop.messages[0].content.endswith(body))


@unittest.skipUnless(postfix.is_there(), "no Postfix")
class Postfixes(unittest.TestCase):
    """A whole Postfix on either side, both insisting on TLS."""

    def test_as_the_next_hop(self):
        with nexthop.NextHop() as sink:
            r = relay.Relay(start=False)
            self.addCleanup(r.remove)
            self.addCleanup(r.stop)
            c = Certificate(r.folder, "hop", kind="rsa",
                            names=("localhost",))
            hop = postfix.Postfix(
                relayhost=f"[127.0.0.1]:{sink.port}",
                smtpd_tls_security_level="encrypt",
                smtpd_tls_cert_file=c.chain, smtpd_tls_key_file=c.key)
            self.addCleanup(hop.close)
            r.configure(routes=[{"to": "*", "tls": "verified",
                                 "via": f"smtp://localhost:{hop.port}"}],
                        tls={"authorities": c.chain},
                        deliver={"address_family": "ipv4"})
            r.start()
            r.send()
            r.wait_empty()
            got = basics.wait_for("mail", lambda: sink.messages)[0]
            self.assertRegex(got.content, rb"with ESMTPS id")

    def test_as_the_client(self):
        with nexthop.NextHop() as sink:
            r = relay.Relay(sink.port, start=False)
            self.addCleanup(r.remove)
            self.addCleanup(r.stop)
            c = Certificate(r.folder, names=("localhost",))
            r.configure(tls={"certificate": c.chain, "key": c.key})
            r.start()
            client = postfix.Postfix(
                relayhost=f"[127.0.0.1]:{r.port}",
                smtp_tls_security_level="encrypt")
            self.addCleanup(client.close)
            with relay.Client(client.port) as s:
                s.hello()
                s.mail("a@sender.example", ["b@served.example"], b"x\r\n")
            basics.wait_for("mail", lambda: sink.messages)
            self.assertRegex(r.log(), r"accepted .* tls=TLSv1\.3/")


if __name__ == "__main__":
    basics.main()
