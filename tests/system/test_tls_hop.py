"""TLS towards next hops: what each policy does with hosts that have it, lack
it, refuse it, stall it, or show the wrong certificate (TLS-10, TLS-11, TLS-13,
T31), against scripted hosts and a real Postfix."""
import os
import re
import ssl
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, postfix, relay
from support.certificate import Certificate, trusting_all

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


class RequireTls(unittest.TestCase):
    """RFC 8689: RTLS-01 to -05, RTLS-09."""

    OFFER = nexthop.EHLO.replace(b"250 ", b"250-REQUIRETLS\r\n250 ")

    def setUp(self):
        self.relay = relay.Relay(start=False)
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)
        self.own = Certificate(self.relay.folder, "own")
        self.certificate = Certificate(self.relay.folder, "hop",
                                       names=("localhost",))

    def start(self, *hops, **keys):
        for hop in hops:
            self.addCleanup(hop.close)
        self.relay.configure(
            routes=[{"to": "*", "via": [f"smtp://localhost:{hop.port}"
                                        for hop in hops]}],
            tls={"certificate": self.own.chain, "key": self.own.key,
                 "authorities": self.certificate.chain},
            deliver={"reply_timeout": "3s", "address_family": "ipv4"}, **keys)
        self.relay.start()

    def hop(self, **script):
        """The offer is made inside TLS."""
        script.setdefault("EHLO", lambda _, session: self.OFFER
                          if session.tls else None)
        return nexthop.NextHop(tls=self.certificate.server(), **script)

    def send(self, parameter=" REQUIRETLS"):
        c = relay.Client(self.relay.port)
        c.command("EHLO client.example")
        self.assertEqual(c.command("STARTTLS").code, 220)
        inside = trusting_all().wrap_socket(c.socket)
        f = inside.makefile("rwb")
        for line in (b"EHLO c", b"MAIL FROM:<from@sender.example>" +
                     parameter.encode(), b"RCPT TO:<to@served.example>",
                     b"DATA", b"Subject: secret\r\n\r\nbody\r\n."):
            f.write(line + b"\r\n")
            f.flush()
            while True:
                reply = f.readline()
                if reply[3:4] != b"-":
                    break
            self.assertRegex(reply, rb"\A[23]", line)
        inside.close()

    def test_to_a_host_that_has_it(self):
        """Behind those that have not; other mail to the first of them.  It
        survives a restart."""
        plain = nexthop.NextHop()
        lacking = nexthop.NextHop(tls=self.certificate.server())
        good = self.hop()
        self.start(plain, lacking, good)
        self.send("")
        self.relay.wait_empty()
        self.assertEqual(len(plain.messages), 1)
        good.script["greeting"] = b"421 4.3.2 later\r\n"
        self.send()
        basics.wait_for("a try", lambda: "deferred " in self.relay.log())
        self.relay.stop()
        good.script.clear()
        good.script["EHLO"] = lambda _, s: self.OFFER if s.tls else None
        self.relay.start()
        self.relay.ctl("queue", "retry", "all")
        self.relay.wait_empty()
        self.assertEqual(len(plain.messages), 1)
        self.assertEqual(len(lacking.messages), 0)
        session = good.messages[0].session
        self.assertEqual(session.tls, "TLSv1.3")
        self.assertIn("MAIL FROM:<from@sender.example> REQUIRETLS",
                      "\n".join(re.sub(r" (SIZE|BODY)=\S+", "", line)
                                for line in session.lines))

    def test_to_nobody(self):
        """Returned at once with 5.7.30 or 5.7.10; the report is no less
        protected, and holds the header only."""
        wrong = Certificate(self.relay.folder, "wrong", names=("x.example",))
        for hop, status in (
                (nexthop.NextHop(tls=self.certificate.server()), "5.7.30"),
                (nexthop.NextHop(tls=wrong.server()), "5.7.30"),
                (nexthop.NextHop(), "5.7.10")):
            with self.subTest(status):
                self.start(hop)
                self.send()
                basics.wait_for("the end", lambda: "bounced " in
                                self.relay.log())
                self.assertIn(status, self.relay.log())
                # the report has no other way, and isn't sent in clear
                basics.wait_for("its end", lambda: re.search(
                    r"discarded ", self.relay.log()))
                self.assertEqual(len(hop.messages), 0)
                self.relay.stop()
                os.unlink(self.relay.log_path)


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
