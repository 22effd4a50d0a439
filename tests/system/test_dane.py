"""DANE at next hops: signed zones of a real nsd behind a real unbound, hosts
that show the right certificate, another, or none; and posttls-finger says the
same (DANE-01 to DANE-10, RTLS-03)."""
import collections
import concurrent.futures
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import (basics, client_ca, dane, nameserver, network, nexthop,
                     postfix, relay, signed)

PORT = 25
HOST = "192.0.2.{}"
NUMBERS = range(1, 20)
DANE, TLS, CLEAR, DEFERRED = "dane", "tls", "clear", "deferred"
REQUIRETLS = nexthop.EHLO.replace(b"250 ", b"250-REQUIRETLS\r\n250 ")

# A mail domain of the zone example., MX mx.DOMAIN unless `records` say
# otherwise.  `server`: what it shows, None for no STARTTLS.
Case = collections.namedtuple(
    "Case", "domain verdict server tlsa records words", defaults=[None, ""])


def cases(folder):
    ca = client_ca.ClientCA(folder, "ca", "An authority")
    other = client_ca.ClientCA(folder, "other-ca", "Another authority")

    def server(stem, *names, authority=None, is_old=False):
        return dane.Server(folder, stem, names, authority, is_old)

    plain = server("plain", "x.example")
    good = server("good", "unheard-of.example")
    anchor = server("anchor", "mx.anchor.example", authority=ca)
    wide = server("wide", "wide.example", authority=ca)
    misnamed = server("misnamed", "mx.elsewhere.example", authority=ca)
    expired = server("expired", "mx.expired.example", is_old=True)
    stale = server("stale", "mx.stale.example", authority=ca, is_old=True)
    wrong = server("wrong", "mx.wrong.example", authority=other)
    return [
        Case("good", DANE, good, [good.tlsa(3, 1, 1)]),
        Case("whole", DANE, good, [good.tlsa(3, 0, 0)]),
        Case("anchor", DANE, anchor, [anchor.tlsa(2, 1, 1)]),
        Case("anchor-cert", DANE, server(
            "anchor-cert", "mx.anchor-cert.example", authority=ca),
            [anchor.tlsa(2, 0, 2)]),
        Case("wide", DANE, wide, [wide.tlsa(2, 1, 1)]),
        Case("misnamed", DEFERRED, misnamed, [misnamed.tlsa(2, 1, 1)],
             words="ostname mismatch"),
        Case("expired", DANE, expired, [expired.tlsa(3, 1, 1)]),
        Case("stale", DEFERRED, stale, [stale.tlsa(2, 1, 1)],
             words="expired"),
        Case("wrong", DEFERRED, wrong, [good.tlsa(3, 1, 1),
                                        anchor.tlsa(2, 1, 1)],
             words="DANE TLSA"),
        Case("roll-over", DANE, good, [plain.tlsa(3, 1, 1),
                                       good.tlsa(3, 1, 1)]),
        Case("pkix", TLS, anchor, [anchor.tlsa(0, 0, 1),
                                   anchor.tlsa(1, 0, 1)]),
        Case("pkix-plain", DEFERRED, None, [anchor.tlsa(0, 0, 1)],
             words="none of which can be used"),
        Case("plain", DEFERRED, None, [good.tlsa(3, 1, 1)],
             words="no STARTTLS"),
        Case("bogus", DEFERRED, good, [good.tlsa(3, 1, 1)],
             words="_25._tcp.mx.bogus.example"),
        Case("lame", DEFERRED, good, [], ["_tcp.mx.lame NS ns.lame.test."],
             words="_25._tcp.mx.lame.example"),
        Case("alias", DANE, good, [], [
            "alias MX 10 mx.alias", "mx.alias CNAME real.alias",
            "real.alias A {}",
            f"_25._tcp.real.alias {good.tlsa(3, 1, 1)}"]),
        Case("alias-own", DANE, good, [good.tlsa(3, 1, 1)], [
            "alias-own MX 10 mx.alias-own",
            "mx.alias-own CNAME real.alias-own", "real.alias-own A {}"]),
        Case("bare", DANE, good, [], [
            "bare A {}", f"_25._tcp.bare {good.tlsa(3, 1, 1)}"]),
        Case("none", TLS, good, []),
    ], plain


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="mtad-dane.")
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)

    def start(self, **keys):
        queue = {"first_retry": "1h", "max_retry": "1h"}
        queue.update(keys.pop("queue", {}))
        r = relay.Relay(start=False, **{
            "routes": [], "dns": {"servers": ["127.0.0.1:53"],
                                  "timeout": "20s"},
            "deliver": {"port": PORT, "address_family": "ipv4",
                        "connect_timeout": "3s"},
            "queue": queue, **keys})
        self.addCleanup(r.remove)
        self.addCleanup(r.stop)
        r.start()
        return r


@unittest.skipUnless(signed.are_there(), "no nsd, unbound and ldns")
class Signed(Base):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cases, cls.plain = cases(cls.folder)
        records, cls.hops = [], {}
        for number, case in zip(NUMBERS, cls.cases):
            own = case.records or []
            if not any(" MX " in r or " A " in r for r in own):
                records += [f"{case.domain} MX 10 mx.{case.domain}",
                            f"mx.{case.domain} A {{}}"]
            records += own + [f"_25._tcp.mx.{case.domain} {tlsa}"
                              for tlsa in case.tlsa]
            records = [r.format(HOST.format(number)) for r in records]
            cls.hops[case.domain] = cls.hop(number, case.server)
        records += [f"named A {HOST.format(20)}",
                    f"*._tcp.named {cls.plain.tlsa(3, 1, 1)}",
                    "away CNAME mx.unsigned.",
                    f"_25._tcp.away {cls.plain.tlsa(3, 1, 1)}",
                    "over MX 10 away"]
        cls.hops["unsigned"] = cls.hop(21, cls.plain)
        cls.named = cls.hop(20, cls.plain)
        cls.inside = nexthop.NextHop(465, HOST.format(20), is_implicit=True,
                                     tls=cls.plain.context())
        cls.addClassCleanup(cls.inside.close)
        cls.names = signed.SignedNames(
            signed.Zone("example", records,
                        spoilt=[("_25._tcp.mx.bogus.example", "TLSA")]),
            # DANE-10: its name server fails below _tcp
            signed.Zone("unsigned", [
                "@ MX 10 mx", f"mx A {HOST.format(21)}",
                "_tcp.mx NS ns.lame.test."], is_signed=False))
        cls.addClassCleanup(cls.names.close)

    @classmethod
    def hop(cls, number, server, **script):
        hop = nexthop.NextHop(PORT, HOST.format(number), **script, tls=server
                              and server.context())
        cls.addClassCleanup(hop.close)
        return hop

    def setUp(self):
        for hop in self.hops.values():
            hop.messages.clear()
            hop.sessions.clear()

    def verdict(self, hop, history):
        """What became of one message, by the host and by the history."""
        if not hop.messages:
            for session in hop.sessions:
                self.assertNotIn("MAIL", session.stages)
            self.assertIn("deferred", history)
            return DEFERRED
        is_tls = hop.messages[0].session.tls is not None
        self.assertEqual("TLSv1" in history, is_tls, history)
        return DANE if " dane" in history else TLS if is_tls else CLEAR

    def send_all(self, r, domains):
        ids = {domain: r.send(to=f"user@{domain}") for domain in domains}
        return {domain: r.fate(i) for domain, i in ids.items()}

    # -- what becomes of mail -----------------------------------------------
    def test_by_default(self):
        """DANE-01 to DANE-08, DANE-10; the reason is in the history and in
        the log."""
        r = self.start()
        r.wait_log("dns_validated")
        for host in ("mx.lame.example", "mx.bogus.example", "mx.unsigned"):
            self.assertEqual(self.names.code(f"_25._tcp.{host}", "TLSA"),
                             "SERVFAIL", host)
        told = self.send_all(r, [f"{c.domain}.example" for c in self.cases] +
                             ["unsigned"])
        for case in self.cases:
            history = told[f"{case.domain}.example"]
            with self.subTest(case.domain):
                self.assertEqual(self.verdict(
                    self.hops[case.domain], history), case.verdict, history)
                self.assertIn(case.words, history)
                if case.verdict == DEFERRED:
                    self.assertRegex(history, r"4\.7\.\d")
                    self.assertRegex(history, "DANE|TLSA")
        for domain in ("bogus", "lame"):        # DANE-02: not even tried
            self.assertEqual(self.hops[domain].sessions, [])
        with self.subTest("unsigned"):
            self.assertEqual(self.verdict(self.hops["unsigned"],
                                          told["unsigned"]), TLS)
        for line in ("no STARTTLS", "DANE TLSA", "expired"):
            self.assertIn(line, r.log())

    def test_server_name(self):
        """DANE-07: the name at which the records are."""
        r = self.start()
        for domain, name in (("alias", "real.alias.example"),
                             ("alias-own", "mx.alias-own.example"),
                             ("bare", "bare.example")):
            server = next(c.server for c in self.cases if c.domain == domain)
            server.asked.clear()
            self.send_all(r, [f"{domain}.example"])
            self.assertEqual(server.asked, [name])

    def test_signed_alias_of_an_unsigned_host(self):
        """RFC 7672 2.2.2: its own name has records, which count."""
        r = self.start()
        history = self.send_all(r, ["over.example"])["over.example"]
        self.assertEqual(self.verdict(self.hops["unsigned"], history), DANE,
                         history)

    def test_connections_are_used_again(self):
        """With the session of TLS, under the same records."""
        r = self.start(deliver={"port": PORT, "address_family": "ipv4",
                                "messages_per_connection": 1})
        hop = self.hops["good"]
        for _ in range(3):
            self.send_all(r, ["good.example"])
        self.assertEqual(len(hop.messages), 3)
        self.assertEqual(len(hop.sessions), 3)
        self.assertTrue(hop.sessions[-1].peer.session_reused)

    def test_demanded_by_a_route(self):
        """Only to hosts that have it; the others wait, and it is said why."""
        r = self.start(routes=[{"to": "*", "via": "mx", "tls": "dane"}])
        told = self.send_all(r, ["good.example", "none.example",
                                 "pkix.example", "unsigned",
                                 "bogus.example"])
        self.assertEqual(self.verdict(self.hops["good"],
                                      told.pop("good.example")), DANE)
        words = {"none.example": "publishes no TLSA records",
                 "pkix.example": "no TLSA record that can be used",
                 "unsigned": "not signed, or not validated",
                 "bogus.example": "can't be looked up now"}
        for domain, history in told.items():
            hop = self.hops[domain.split(".", maxsplit=1)[0]]
            with self.subTest(domain):
                self.assertIn("deferred", history)
                self.assertIn(words[domain], history)
                self.assertRegex(history, r"4\.7\.[45]")
                self.assertEqual(hop.sessions, [])

    def test_hosts_of_a_route(self):
        """By the port they are at; addresses have no name to be known by."""
        for via, tls, want in (
                ("smtp://named.example", None, DANE),
                ("smtp://named.example", "dane", DANE),
                (f"smtp://{HOST.format(20)}", "dane", DEFERRED)):
            route = {"to": "*", "via": via}
            if tls:
                route["tls"] = tls
            with self.subTest(via, tls=tls):
                self.named.messages.clear()
                self.named.sessions.clear()
                r = self.start(routes=[route])
                history = self.send_all(r, ["any.example"])["any.example"]
                self.assertEqual(self.verdict(self.named, history), want,
                                 history)
                r.stop()

    def test_tls_from_the_start(self):
        """smtps://, whose port has records of its own name."""
        r = self.start(routes=[{"to": "*", "via": "smtps://named.example",
                                "tls": "dane"}])
        history = self.send_all(r, ["any.example"])["any.example"]
        self.assertEqual(self.verdict(self.inside, history), DANE, history)

    def test_other_routes_do_not_ask(self):
        """opportunistic means just that."""
        r = self.start(routes=[{"to": "*", "via": "mx",
                                "tls": "opportunistic"}])
        told = self.send_all(r, ["bogus.example", "plain.example"])
        self.assertEqual(self.verdict(self.hops["bogus"],
                                      told["bogus.example"]), TLS)
        self.assertEqual(self.verdict(self.hops["plain"],
                                      told["plain.example"]), CLEAR)

    def test_the_report(self):
        """What hindered it is in the report to the sender."""
        with nexthop.NextHop() as sink:
            r = self.start(
                routes=[{"to": "sender.example",
                         "via": f"smtp://127.0.0.1:{sink.port}"}],
                queue={"first_retry": "1s", "max_retry": "1s",
                       "expire": "2s", "warn": "0s"})
            r.send(to=["user@wrong.example", "user@plain.example"])
            report = basics.wait_for("a report", lambda: sink.messages,
                                     60)[0].content
            self.assertIn(b"DANE", report)
            text = b" ".join(b"".join(
                m.content for m in sink.messages).split())
            self.assertIn(b"TLSA", text)

    # -- REQUIRETLS ---------------------------------------------------------
    def test_requiretls(self):
        """RTLS-03: a certificate that its records are for is a valid one; one
        that they are not for is none."""
        own = dane.Server(self.folder, "own", ["relay.example.org"])
        r = self.start(tls={"certificate": own.chain, "key": own.key})
        for domain in ("good", "wrong"):
            self.hops[domain].script["EHLO"] = lambda _, session: (
                REQUIRETLS if session.tls else None)
            self.addCleanup(self.hops[domain].script.clear)
        for domain in ("good.example", "wrong.example"):
            self.send_requiretls(r, f"user@{domain}")
        # RTLS-06: the field says nothing beside the parameter
        self.send_requiretls(r, "other@wrong.example", "TLS-Required: No")
        basics.wait_for("mail", lambda: self.hops["good"].messages)
        self.assertIn("REQUIRETLS", "".join(
            self.hops["good"].messages[0].session.lines))
        basics.wait_for("the end", lambda: "5.7.30" in r.log())
        self.assertEqual(self.hops["wrong"].messages, [])

    def send_requiretls(self, r, recipient, field="Subject: secret"):
        c = relay.Client(r.port)
        c.command("EHLO client.example")
        self.assertEqual(c.command("STARTTLS").code, 220)
        context = dane.ssl.SSLContext(dane.ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = dane.ssl.CERT_NONE
        inside = context.wrap_socket(c.socket)
        f = inside.makefile("rwb")
        for line in ("EHLO c", "MAIL FROM:<> REQUIRETLS",
                     f"RCPT TO:<{recipient}>", "DATA",
                     f"{field}\r\n\r\nbody\r\n."):
            f.write(line.encode() + b"\r\n")
            f.flush()
            while True:
                reply = f.readline()
                if reply[3:4] != b"-":
                    break
            self.assertRegex(reply, rb"\A[23]", line)
        inside.close()

    # -- TLS-Required: No ---------------------------------------------------
    def send_optional(self, r, domain, fields="TLS-Required: No\r\n"):
        return r.fate(r.send(
            f"{fields}Subject: x\r\n\r\nbody\r\n".encode(),
            to=f"user@{domain}"))

    def test_tls_required_no(self):
        """RTLS-07: what the receiver demands holds nothing up; TLS is used
        where it goes.  RTLS-08: two such fields are none."""
        r = self.start()
        for domain, want in (("wrong", TLS), ("plain", CLEAR),
                             ("bogus", TLS), ("good", TLS)):
            history = self.send_optional(r, f"{domain}.example")
            with self.subTest(domain):
                self.assertEqual(self.verdict(self.hops[domain], history),
                                 want, history)
        self.hops["plain"].messages.clear()
        self.hops["plain"].sessions.clear()
        history = self.send_optional(r, "plain.example",
                                     "TLS-Required: No\r\n" * 2)
        self.assertEqual(self.verdict(self.hops["plain"], history), DEFERRED,
                         history)

    def test_tls_required_no_and_a_route(self):
        """What the operator demands does hold."""
        r = self.start(routes=[{"to": "*", "via": "mx", "tls": "required"}])
        history = self.send_optional(r, "plain.example")
        self.assertEqual(self.verdict(self.hops["plain"], history), DEFERRED,
                         history)

    # -- a second opinion ---------------------------------------------------
    def opinion(self, domain):
        """With dane-only a host without usable records is another's case."""
        only = dane.finger(domain, level="dane-only")
        if 'resorting to "secure"' not in only:
            is_good = "Verified TLS connection established" in only
            return DANE if is_good else DEFERRED, only
        text = dane.finger(domain, level="dane")
        return TLS if "TLS connection established" in text else DEFERRED, \
            only + text

    @unittest.skipUnless(postfix.is_there(), "no Postfix")
    def test_posttls_finger_agrees(self):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            wanted = {f"{c.domain}.example": c.verdict for c in self.cases}
            wanted.update({"unsigned": TLS, "over.example": DANE})
            asked = {domain: pool.submit(self.opinion, domain)
                     for domain in wanted}
            for domain, future in asked.items():
                with self.subTest(domain):
                    verdict, text = future.result()
                    self.assertEqual(verdict, wanted[domain], text)


class Scripted(Base):
    """A name server that says whatever it likes, and that it is validated."""

    def test_records_of_every_length(self):
        """DANE-09: TLS, as they are there, and without proof, as none means
        anything; too many are as good as none that can be read."""
        server = dane.Server(self.folder, "any", ["x.example"])
        good = bytes.fromhex("030101" + server.tlsa(3, 1, 1).split()[-1])
        rows = {
            "empty": ([b""], TLS), "one": ([b"\3"], TLS),
            "two": ([b"\3\1"], TLS), "three": ([b"\3\1\1"], TLS),
            "short": ([b"\3\1\1x"], TLS), "long": ([good + b"x"], TLS),
            "junk": ([b"\3\0\0" + b"x" * 900], TLS),
            "large": ([b"\3\0\0" + b"x" * 16000], TLS),
            "huge": ([b"\3\0\0" + b"x" * 20000], DEFERRED),
            "many": ([good] * 120, DEFERRED),
            "mixed": ([b"", b"\3", b"\3\0\0" + b"x" * 9000, good], DANE),
        }
        zone = {}
        for name, (records, _) in rows.items():
            zone[(f"{name}.example", "MX")] = [(10, f"mx.{name}.example")]
            zone[(f"mx.{name}.example", "A")] = [HOST.format(1)]
            key = (f"_25._tcp.mx.{name}.example", "TLSA")
            zone[key] = nameserver.TRUNCATED
            zone[(*key, "tcp")] = records
        names = nameserver.NameServer(zone, says_ad=True)
        self.addCleanup(names.close)
        hop = nexthop.NextHop(PORT, HOST.format(1), tls=server.context())
        self.addCleanup(hop.close)
        r = self.start(dns={"servers": [f"127.0.0.1:{names.port}"],
                            "timeout": "3s"})
        for name, (_, want) in rows.items():
            hop.messages.clear()
            history = r.fate(r.send(to=f"user@{name}.example"))
            with self.subTest(name):
                self.assertEqual(bool(hop.messages), want != DEFERRED,
                                 history)
                self.assertEqual(" dane" in history, want == DANE, history)
                if hop.messages:
                    self.assertIsNotNone(hop.messages[0].session.tls)

    def test_a_resolver_that_does_not_validate(self):
        """Nothing is asked for then; the log says so at the start."""
        server = dane.Server(self.folder, "unvalidated", ["x.example"])
        zone = {("d.example", "MX"): [(10, "mx.example")],
                ("mx.example", "A"): [HOST.format(1)],
                ("_25._tcp.mx.example", "TLSA"): nameserver.SERVFAIL}
        names = nameserver.NameServer(zone)
        self.addCleanup(names.close)
        hop = nexthop.NextHop(PORT, HOST.format(1), tls=server.context())
        self.addCleanup(hop.close)
        r = self.start(dns={"servers": [f"127.0.0.1:{names.port}"]})
        r.wait_log("dns_unvalidated")
        self.assertIn("delivered", r.fate(r.send(to="u@d.example")))
        self.assertEqual(names.count("_25._tcp.mx.example", "TLSA"), 0)


if __name__ == "__main__":
    network.enter([*(HOST.format(i) for i in range(1, 22)),
                   signed.AUTHORITY, signed.LAME])
    basics.main()
