"""MTA-STS (RFC 8461): records, policies from a real HTTPS server, and hosts that
show the right certificate, another, or none (STS-01 to -12)."""
import json
import json
import os
import re
import shutil
import struct
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import (basics, client_ca, dane, nameserver, network, nexthop,
                     nginx, relay, signed)
from support.history import crc32c
from support.policy_host import PATH, Answer, PolicyHost, policy

PORT = 25
WEB, SECURE, PLAIN, HUB = (f"192.0.2.{i}" for i in range(1, 5))
ID = "v=STSv1; id=1;"
GOOD, DELIVERED, DEFERRED = "verified", "delivered", "deferred"

# What stands in the DNS, and whether it means that there is a policy.
RECORDS = {
    "plain": ([ID], True),
    "spaces": (["v=STSv1 ; id=20160831085700Z"], True),
    "more": (["v=STSv1; x=y; id=abc; z=1;"], True),
    "among-others": (["v=spf1 -all", ID, "x" * 300], True),
    "in-pieces": (["v=STSv1; a=" + "y" * 260 + "; id=1;"], True),
    "without": ([], False),
    "two": ([ID, "v=STSv1; id=2;"], False),
    "two-same": ([ID, ID], False),
    "no-id": (["v=STSv1;"], False),
    "bad-id": (["v=STSv1; id=a-b;"], False),
    "long-id": (["v=STSv1; id=" + "a" * 33], False),
    "version": (["v=STSv2; id=1;"], False),
    "case": (["V=STSv1; id=1;"], False),
    "late-version": (["id=1; v=STSv1;"], False),
    "blank": ([" v=STSv1; id=1;"], False),
    "other": (["v=spf1 -all"], False),
}

# What the policy of a domain is, with {} for its host, and what it means for
# one that has no TLS: nothing (None), or a deferral for those words.
POLICIES = {
    "enforce": (policy("{}"), "by the MTA-STS policy of its domain"),
    "by-lf": (policy("{}").replace("\r\n", "\n"), "MTA-STS"),
    "no-end": (policy("{}").rstrip(), "MTA-STS"),
    "extra": ("more: of it\n" + policy("{}") + "x: y\n", "MTA-STS"),
    "first-wins": (policy("{}") + "mode: none\nversion: STSv2\n", "MTA-STS"),
    "upper-mx": (policy("MX.upper-mx.EXAMPLE"), "MTA-STS"),
    "charset": (Answer(policy("{}"), kind="text/plain; charset=utf-8"),
                "MTA-STS"),
    "testing": (policy("{}", mode="testing"), None),
    "none": (policy(mode="none"), None),
    "no-version": (policy("{}").replace("version: STSv1\r\n", ""), None),
    "no-mode": (policy("{}").replace("mode: enforce\r\n", ""), None),
    "no-age": (policy("{}").replace("max_age: 604800\r\n", ""), None),
    "no-mx": (policy(), None),
    "bad-mode": (policy("{}", mode="Enforce"), None),
    "bad-age": (policy("{}", max_age="1d"), None),
    "html": (Answer(policy("{}"), kind="text/html"), None),
    "untyped": (Answer(policy("{}"), kind=None), None),
    "not-there": (Answer(policy("{}"), 404), None),
    "error": (Answer(policy("{}"), 500), None),
    "created": (Answer(policy("{}"), 201), None),
    "moved": (Answer("", 301, Location="https://mta-sts.enforce.example"
                     "/.well-known/mta-sts.txt"), None),
    "moved-body": (Answer(policy("{}"), 302, Location="/other"), None),
    # STS-12
    "large": (Answer(policy("{}") + "x: y\n" * 13000), "MTA-STS"),
    "too-large": (Answer(policy("{}") + "x: y\n" * 13100), None),
}

# STS-04: one label, the left-most one.
PATTERNS = {
    "wide": (["*.wide.example"], True), "exact": (["mx.exact.example"], True),
    "several": (["a.example", "b.example", "*.several.example"], True),
    "bare": (["bare.example"], False), "deep": (["*.example"], False),
    "prefix": (["x.example", "*.mx.prefix.example"], False),
    "part": (["mx.part.exampl"], False),
}


def verdict(history):
    """What became of a message; what is deferred is so for TLS."""
    if " deferred" in history:
        assert re.search(r"4\.7\.\d", history), history
        return DEFERRED
    return GOOD if " verified" in history else DELIVERED


def age(path, domain, seconds):
    """The policy of `domain` in that file (docs/SPOOL.md) was fetched so much
    earlier."""
    with open(path, "r+b") as f:
        data = bytearray(f.read()[:-4])
        name = struct.pack("<I", len(domain)) + domain.encode()
        at = data.index(name, data.index(name) + 1) + len(name)
        at += 4 + struct.unpack_from("<I", data, at)[0] + 1     # id, mode
        struct.pack_into("<Q", data, at, struct.unpack_from(
            "<Q", data, at)[0] - seconds * 1000)
        f.seek(0)
        f.write(data + struct.pack("<I", crc32c(data)))


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="mtad-sts.")
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.ca = client_ca.ClientCA(cls.folder, "ca", "An authority")
        cls.names = nameserver.NameServer(says_ad=True, ttl=0)
        cls.addClassCleanup(cls.names.close)
        cls.certificates = {None: cls.certificate("web", "*.example",
                                                  "mta-sts.old.example")}
        cls.make()
        cls.web = PolicyHost(WEB, cls.certificates)
        cls.addClassCleanup(cls.web.close)

    @classmethod
    def make(cls):
        """What a class has in common."""

    @classmethod
    def certificate(cls, stem, *names, authority=None, **more):
        return dane.Server(cls.folder, stem, names, authority or cls.ca,
                           **more)

    @classmethod
    def hop(cls, address, server=None, **script):
        hop = nexthop.NextHop(PORT, address, tls=server and server.context(),
                              **script)
        cls.addClassCleanup(hop.close)
        return hop

    def setUp(self):
        self.web.answers.clear()
        self.web.requests.clear()
        self.names.zone.clear()

    def domain(self, name, text=None, records=(ID,), address=PLAIN):
        """NAME.example by mx.NAME.example."""
        domain = f"{name}.example"
        zone = self.names.zone
        zone[(domain, "MX")] = [(10, f"mx.{domain}")]
        zone[(f"mx.{domain}", "A")] = [address]
        zone[(f"_mta-sts.{domain}", "TXT")] = list(records)
        zone[(f"mta-sts.{domain}", "A")] = [WEB]
        if text is None:
            text = policy(f"mx.{domain}")
        self.answer(name, text)
        return domain

    def answer(self, name, text):
        host = f"mx.{name}.example"
        if isinstance(text, Answer):
            text.body = text.body.replace(b"{}", host.encode())
        else:
            text = text.replace("{}", host)
        self.web.answers[f"mta-sts.{name}.example"] = text

    def start(self, **keys):
        queue = {"first_retry": "1h", "max_retry": "1h"}
        queue.update(keys.pop("queue", {}))
        r = relay.Relay(start=False, **{
            "routes": [], "tls": {"authorities": self.ca.pem},
            "dns": {"servers": [f"127.0.0.1:{self.names.port}"],
                    "timeout": "10s"},
            "deliver": {"address_family": "ipv4", "connect_timeout": "3s"},
            "queue": queue, **keys})
        self.addCleanup(r.remove)
        self.addCleanup(r.stop)
        r.start()
        return r

    def fates(self, r, names):
        ids = {name: r.send(to=f"user@{name}.example") for name in names}
        return {name: r.fate(i) for name, i in ids.items()}


class Policies(Base):
    """A host without TLS tells a policy that binds from none."""

    @classmethod
    def make(cls):
        cls.plain = cls.hop(PLAIN)
        cls.certificates.update({
            "mta-sts.self.example": dane.Server(
                cls.folder, "self", ["mta-sts.self.example"]),
            "mta-sts.misnamed.example": cls.certificate(
                "misnamed", "mta-sts.else.test"),
            "mta-sts.old.example": cls.certificate(
                "old", "mta-sts.old.example", is_old=True),
            "mta-sts.stranger.example": cls.certificate(
                "stranger", "mta-sts.stranger.example",
                authority=client_ca.ClientCA(cls.folder, "other", "Other")),
        })
        # *.example does not cover mta-sts.X.example
        names = [f"mta-sts.{name}.example" for name in (
            *RECORDS, *POLICIES, *PATTERNS, "web", "slow", "late", "capped",
            "report", "alias-of")]
        cls.certificates[None] = cls.certificate("all", *names)

    def setUp(self):
        super().setUp()
        self.plain.messages.clear()
        self.plain.sessions.clear()

    def test_records(self):
        """STS-01"""
        for name, (records, _) in RECORDS.items():
            self.domain(name, records=records)
        r = self.start()
        for name, history in self.fates(r, RECORDS).items():
            with self.subTest(name):
                has_policy = RECORDS[name][1]
                self.assertEqual(verdict(history), DEFERRED if has_policy
                                 else DELIVERED, history)
                self.assertEqual(self.web.count(f"{name}.example"),
                                 int(has_policy))

    def test_record_by_an_alias(self):
        """RFC 8461 8.2: policies are delegated by CNAME."""
        self.domain("alias-of", records=())
        zone = self.names.zone
        del zone[("_mta-sts.alias-of.example", "TXT")]
        zone[("_mta-sts.alias-of.example", "CNAME")] = ["sts.host.example"]
        zone[("sts.host.example", "TXT")] = [ID]
        del zone[("mta-sts.alias-of.example", "A")]
        zone[("mta-sts.alias-of.example", "CNAME")] = ["web.host.example"]
        zone[("web.host.example", "A")] = [WEB]
        history = self.fates(self.start(), ["alias-of"])["alias-of"]
        self.assertEqual(verdict(history), DEFERRED, history)

    def test_policies(self):
        """STS-02, STS-03, STS-08, STS-12, and why there is none."""
        for name, (text, _) in POLICIES.items():
            self.domain(name, text)
        r = self.start()
        for name, history in self.fates(r, POLICIES).items():
            with self.subTest(name):
                words = POLICIES[name][1]
                self.assertEqual(verdict(history), DEFERRED if words
                                 else DELIVERED, history)
                self.assertIn(words or "", history)
                self.assertEqual(self.web.count(f"{name}.example"), 1)
        for name, why in (
                ("moved", "HTTP status 301"), ("not-there", "HTTP status 404"),
                ("html", "it is not text/plain"), ("no-mx", "mx is missing"),
                ("no-age", "max_age is missing"),
                ("too-large", "the answer is too long")):
            with self.subTest(name, why=why):
                self.assertRegex(r.log(), f"policy_failed .*{name}.example.*"
                                 f"{why}")
        self.assertRegex(r.log(), "policy_fetched .*domain=none.example .*"
                         "mode=none")

    def test_certificates_of_the_web_server(self):
        """STS-03: it is believed as any web server is; its name is the
        domain's."""
        names = ("self", "misnamed", "old", "stranger")
        for name in names:
            self.domain(name)
        r = self.start()
        for name, history in self.fates(r, names).items():
            with self.subTest(name):
                self.assertEqual(verdict(history), DELIVERED, history)
                self.assertEqual(self.web.count(f"{name}.example"), 0)
                self.assertRegex(r.log(), f"policy_failed .*{name}.example.*"
                                 "(?i:certificate)")

    def test_patterns(self):
        """STS-04: a host that is none of them isn't even spoken to."""
        for name, (mx, _) in PATTERNS.items():
            self.domain(name, policy(*mx))
        r = self.start()
        told = self.fates(r, PATTERNS)
        asked = sum(is_named for _, is_named in PATTERNS.values())
        self.assertEqual(len(self.plain.sessions), asked)
        for name, (_, is_named) in PATTERNS.items():
            with self.subTest(name):
                self.assertIn("no STARTTLS" if is_named else
                              "none of those that the MTA-STS policy allows "
                              f"of {name}.example", told[name])

    def test_age(self):
        """STS-11"""
        self.domain("capped", policy("{}", max_age=9999999999))
        r = self.start()
        self.fates(r, ["capped"])
        self.assertRegex(r.log(), "policy_fetched .*domain=capped.example .*"
                         "max_age=31557600")

    def test_too_slow(self):
        """STS-12: no answer within a minute is none; others go on."""
        self.domain("slow", Answer(policy("{}"), slow=2))
        self.domain("web")
        r = self.start()
        first = r.send(to="user@slow.example")
        self.assertEqual(verdict(self.fates(r, ["web"])["web"]),
                         DEFERRED)
        self.assertEqual(verdict(r.fate(first, 90)), DELIVERED)
        self.assertRegex(r.log(), "policy_failed .*slow.example.*no whole "
                         "answer in time")

    def test_demanded_by_a_route(self):
        """Where there is no policy, mail waits; and where it can't be had."""
        self.domain("without", records=())
        self.domain("not-there", Answer("", 404))
        self.domain("none", policy(mode="none"))
        self.domain("testing", policy("{}", mode="testing"))
        self.domain("enforce")
        r = self.start(routes=[{"to": "*", "via": "mx", "tls": "sts"}])
        told = self.fates(r, ["without", "not-there", "none", "testing",
                              "enforce"])
        self.assertEqual(verdict(told.pop("testing")), DELIVERED)
        for name, words in (("without", "there is no policy of without"),
                            ("none", "there is no policy of none"),
                            ("not-there", "HTTP status 404"),
                            ("enforce", "no STARTTLS")):
            with self.subTest(name):
                self.assertEqual(verdict(told[name]), DEFERRED)
                self.assertIn(words, told[name])

    def test_explained(self):
        """`route explain` asks for policies as a delivery does."""
        expected = {
            "enforce": (policy("{}"), "verified", "by the MTA-STS policy"),
            "testing": (policy("{}", mode="testing"), "opportunistic",
                        "one that is testing: it names this host"),
            "part": (policy("mx.part.exampl"), "skipped", "none of those "
                     "that the MTA-STS policy allows of part.example"),
            "not-there": (Answer("", 404), "opportunistic",
                          "HTTP status 404"),
            "none": (policy(mode="none"), "opportunistic", "is offered"),
        }
        for name, (text, _, _) in expected.items():
            self.domain(name, text)
        r = self.start()
        for name, (_, tls, words) in expected.items():
            with self.subTest(name):
                p = r.try_ctl("route", "explain", "--json",
                              f"user@{name}.example")
                self.assertEqual(p.returncode, int(tls == "skipped"),
                                 p.stderr)
                host, = json.loads(p.stdout)["hosts"]
                self.assertEqual(host["tls"], tls)
                self.assertIn(words, host["tls_why"])
        self.assertEqual(self.plain.sessions, [])

    def test_other_routes_do_not_ask(self):
        self.domain("web")
        r = self.start(routes=[{"to": "*", "via": "mx",
                                "tls": "opportunistic"}])
        self.assertEqual(verdict(self.fates(r, ["web"])["web"]),
                         DELIVERED)
        self.assertEqual(self.names.count("_mta-sts.web.example", "TXT"), 0)
        self.assertEqual(r.pids("fetchd"), [])

    def test_the_report(self):
        """What hindered it is in the report to the sender (STS-06)."""
        self.domain("report")
        with nexthop.NextHop() as sink:
            r = self.start(
                routes=[{"to": "sender.example",
                         "via": f"smtp://127.0.0.1:{sink.port}"}],
                queue={"first_retry": "1s", "max_retry": "1s",
                       "expire": "2s", "warn": "0s"})
            r.send(to="user@report.example")
            text = basics.wait_for("a report", lambda: sink.messages,
                                   60)[0].content
            self.assertIn(b"MTA-STS", text)
            self.assertIn(b"Status: 4.7.", text)


class Cache(Base):
    """What is known stays known, whatever happens meanwhile (STS-07)."""

    @classmethod
    def make(cls):
        cls.plain = cls.hop(PLAIN)
        cls.certificates[None] = cls.certificate("all", "mta-sts.d.example",
                                                 "mta-sts.e.example")

    def expect(self, r, want, words="", name="d"):
        """Of a message more, for which the others' back-off is lifted."""
        queue_id = r.send(to=f"user@{name}.example")
        r.retry(f"id:{queue_id}")
        history = r.fate(queue_id)
        self.assertEqual(verdict(history), want, history)
        self.assertIn(words, history)

    def test_is_fetched_once(self):
        self.domain("d")
        r = self.start()
        for _ in range(3):
            self.expect(r, DEFERRED)
        self.assertEqual(self.web.count("d.example"), 1)

    def test_a_new_id(self):
        """The policy is fetched anew; until that succeeds the old one holds."""
        domain = self.domain("d")
        r = self.start()
        self.expect(r, DEFERRED, "no STARTTLS")
        self.names.zone[(f"_mta-sts.{domain}", "TXT")] = ["v=STSv1; id=2"]
        self.answer("d", Answer("", 500))
        self.expect(r, DEFERRED, "no STARTTLS")
        r.wait_log("HTTP status 500")
        self.names.zone[(f"_mta-sts.{domain}", "TXT")] = ["v=STSv1; id=3"]
        # a failed fetch is not tried again at once
        self.expect(r, DEFERRED, "no STARTTLS")
        self.assertEqual(self.web.count("d.example"), 2)

    def test_an_updated_policy_frees_the_mail(self):
        """STS-06: what fails waits, and goes as soon as the policy lets it."""
        domain = self.domain("d", policy("mx.elsewhere.example"))
        r = self.start()
        queue_id = r.send(to=f"user@{domain}")
        self.assertIn("none of those", r.fate(queue_id))
        self.names.zone[(f"_mta-sts.{domain}", "TXT")] = ["v=STSv1; id=2"]
        self.answer("d", policy(mode="none"))
        r.retry()
        r.wait_empty()
        self.assertEqual(self.web.count(domain), 2)
        self.assertIn("delivered", r.ctl("message", "history", queue_id))

    def test_without_dns_and_web(self):
        """Who can suppress both can't make us forget."""
        domain = self.domain("d")
        r = self.start()
        self.expect(r, DEFERRED)
        for answer in (nameserver.SERVFAIL, [], nameserver.SILENCE):
            with self.subTest(answer):
                self.names.zone[(f"_mta-sts.{domain}", "TXT")] = answer
                self.answer("d", Answer("", 404))
                self.expect(r, DEFERRED, "no STARTTLS")
        self.assertEqual(self.web.count(domain), 1)

    def test_restarts(self):
        """Of the whole, and of any process."""
        domain = self.domain("d")
        r = self.start()
        self.expect(r, DEFERRED)
        self.names.zone[(f"_mta-sts.{domain}", "TXT")] = nameserver.SERVFAIL
        self.answer("d", Answer("", 404))
        for name in ("fetchd", "queued", "deliverd", "dnsd"):
            with self.subTest(name):
                r.kill(name)
                self.expect(r, DEFERRED, "no STARTTLS")
        basics.wait_for("the file", lambda: os.path.exists(
            os.path.join(r.folder, "spool/policies")))
        r.stop()
        r.start()
        self.expect(r, DEFERRED, "no STARTTLS")
        r.kill("mtad")
        basics.wait_for("its end", lambda: r.process.poll() is not None)
        basics.wait_for("its children's end", lambda: not r.session())
        r.start()
        self.expect(r, DEFERRED, "no STARTTLS")
        self.assertEqual(self.web.count(domain), 1)

    def test_operator(self):
        """mtactl sts: what is known, and to have it fetched anew."""
        domain = self.domain("d", policy("mx.elsewhere.example", "*.x.example"))
        self.domain("e", policy(mode="none", max_age=86400))
        r = self.start()
        self.expect(r, DEFERRED)
        self.expect(r, DELIVERED, name="e")
        rows = basics.wait_for("both", lambda: sorted(
            (json.loads(line) for line in r.ctl(
                "sts", "list", "--json").splitlines()),
            key=lambda row: row["domain"]))
        self.assertEqual([(row["domain"], row["mode"], row["id"], row["mx"])
                          for row in rows], [
            (domain, "enforce", "1", ["mx.elsewhere.example", "*.x.example"]),
            ("e.example", "none", "1", [])])
        self.assertRegex(r.ctl("sts", "list", "D.example"),
                         r"DOMAIN .*\nd\.example +enforce +1 +\d+m?s +6d23h +"
                         r"mx\.elsewhere\.example \*\.x\.example\n\Z")
        self.assertEqual(r.ctl("sts", "list", "x.example", "--json"), "")
        # put right without another id
        self.answer("d", policy(mode="none"))
        self.expect(r, DEFERRED)
        r.ctl("sts", "forget", domain.upper())
        r.wait_log("policy_forgotten")
        self.expect(r, DELIVERED)
        self.assertEqual(r.try_ctl("sts", "forget", "x.example").returncode, 4)

    def test_every_day(self):
        """What is known is fetched anew though there is no mail."""
        domain = self.domain("d")
        r = self.start()
        self.expect(r, DEFERRED)
        r.stop()
        age(os.path.join(r.folder, "spool/policies"), domain, 25 * 3600)
        r.start()
        basics.wait_for("a fetch", lambda: self.web.count(domain) == 2)
        basics.wait_for("it to be kept", lambda: json.loads(r.ctl(
            "sts", "list", domain, "--json"))["fetched_at"][:10] >=
            time.strftime("%Y-%m-%d", time.gmtime(time.time() - 60)))

    def test_a_damaged_file(self):
        """Is told of; policies are found anew."""
        self.domain("d")
        r = self.start()
        self.expect(r, DEFERRED)
        r.stop()
        path = os.path.join(r.folder, "spool/policies")
        with open(path, "r+b") as f:
            f.seek(30)
            f.write(b"\xff")
        r.start()
        self.expect(r, DEFERRED)
        self.assertIn("policies can't be read", r.log())
        self.assertEqual(self.web.count("d.example"), 2)


class Hosts(Base):
    """What a host has to show (STS-05)."""

    SHOWN = {                           # a domain: names, verdict, words
        "good": (["mx.good.example"], GOOD, "delivered"),
        "wide": (["*.wide.example"], GOOD, "delivered"),
        "second": (["x.example", "mx.second.example"], GOOD, "delivered"),
        "else": (["mx.elsewhere.example"], DEFERRED, "ostname mismatch"),
        "domain": (["domain.example"], DEFERRED, "ostname mismatch"),
        "old": (["mx.old.example"], DEFERRED, "expired"),
        "self": (["mx.self.example"], DEFERRED, "(?i)self.signed"),
        "common-name": (["other.example"], DEFERRED, "ostname mismatch"),
    }

    @classmethod
    def make(cls):
        cls.contexts, cls.asked = {}, []
        for name, (names, _, _) in cls.SHOWN.items():
            server = dane.Server(
                cls.folder, f"mx-{name}", names,
                None if name == "self" else cls.ca, name == "old",
                "mx.common-name.example" if name == "common-name" else None)
            cls.contexts[f"mx.{name}.example"] = server.context()
        cls.context = cls.certificate("mx", "x.example").context()
        cls.context.sni_callback = cls.choose
        cls.secure = nexthop.NextHop(PORT, SECURE, tls=cls.context)
        cls.addClassCleanup(cls.secure.close)
        cls.plain = cls.hop(PLAIN)
        cls.certificates[None] = cls.certificate("all", *(
            f"mta-sts.{name}.example" for name in (
                *cls.SHOWN, "strip", "two", "trial", "hub", "dane")))

    @classmethod
    def choose(cls, stream, name, _):
        cls.asked.append(name)
        stream.context = cls.contexts.get(name, cls.context)

    def setUp(self):
        super().setUp()
        for hop in (self.secure, self.plain):
            hop.messages.clear()
            hop.sessions.clear()
        self.asked.clear()

    def test_certificates(self):
        for name in self.SHOWN:
            self.domain(name, address=SECURE)
        r = self.start()
        for name, history in self.fates(r, self.SHOWN).items():
            with self.subTest(name):
                _, want, words = self.SHOWN[name]
                self.assertEqual(verdict(history), want, history)
                self.assertRegex(history, words)
                self.assertIn(f"mx.{name}.example", self.asked)
                if want == DEFERRED:
                    self.assertIn("by the MTA-STS policy of its domain",
                                  history)
        good = sum(v == GOOD for _, v, _ in self.SHOWN.values())
        self.assertEqual(len(self.secure.messages), good)
        for message in self.secure.messages:
            self.assertIsNotNone(message.session.tls)

    def test_stripped(self):
        """Never in clear, whichever way TLS fails."""
        self.domain("strip", address=SECURE)
        self.addCleanup(self.secure.script.clear)
        for script in ({"EHLO": nexthop.EHLO},
                       {"STARTTLS": b"454 4.7.0 not now\r\n"},
                       {"STARTTLS": b"220 go\r\n250 evil\r\n"},
                       {"STARTTLS": nexthop.CLOSE}):
            with self.subTest(script):
                self.secure.script.clear()
                self.secure.script.update(script)
                r = self.start()
                history = self.fates(r, ["strip"])["strip"]
                self.assertIn("deferred", history)
                for session in self.secure.sessions:
                    self.assertNotIn("MAIL", session.stages)
                r.stop()
        self.assertEqual(self.secure.messages, [])

    def test_the_next_host_is_tried(self):
        """One that fails makes no difference to one that does not."""
        self.domain("two", policy("mx.good.example", "bad.two.example"))
        zone = self.names.zone
        zone[("two.example", "MX")] = [
            (1, "none.two.example"), (2, "bad.two.example"),
            (3, "mx.good.example")]
        zone[("none.two.example", "A")] = [SECURE]
        zone[("bad.two.example", "A")] = [PLAIN]
        zone[("mx.good.example", "A")] = [SECURE]
        history = self.fates(self.start(), ["two"])["two"]
        self.assertEqual(len(self.secure.messages), 1, history)
        self.assertEqual(len(self.secure.sessions), 1)
        self.assertEqual(len(self.plain.sessions), 1)
        self.assertIn("none of those", history)
        self.assertIn("no STARTTLS", history)

    def test_testing(self):
        """STS-08: mail goes, and the log says what would have hindered it."""
        text = policy("{}", mode="testing")
        for name in ("good", "else"):
            self.domain(name, text, address=SECURE)
        self.domain("trial", text)
        self.domain("wide", policy("mx.other.example", mode="testing"),
                    address=SECURE)
        r = self.start()
        for name, history in self.fates(r, ["good", "else", "trial",
                                            "wide"]).items():
            self.assertEqual(verdict(history), DELIVERED, name)
        log = r.log()
        for name, why in (("else", "the certificate is not valid"),
                          ("trial", "no TLS"),
                          ("wide", "doesn't name this host")):
            self.assertRegex(log, f"policy_testing .*{name}.example.*{why}")
        self.assertNotRegex(log, "policy_testing .*good.example")

    def test_dane_goes_before(self):
        """STS-09: what fails by DANE fails, whatever MTA-STS says; and what
        DANE proves needs no authority."""
        server = dane.Server(self.folder, "dane", ["unheard-of.example"])
        self.contexts["mx.dane.example"] = server.context()
        self.domain("dane", address=SECURE)
        self.domain("good", address=SECURE)
        zone = self.names.zone
        zone[("_25._tcp.mx.good.example", "TLSA")] = nameserver.SERVFAIL
        zone[("_25._tcp.mx.dane.example", "TLSA")] = [bytes.fromhex(
            "030101" + server.tlsa(3, 1, 1).split()[-1])]
        r = self.start(dns={"servers": [f"127.0.0.1:{self.names.port}"],
                            "timeout": "2s"})
        r.wait_log("dns_validated")
        told = self.fates(r, ["dane", "good"])
        self.assertIn(" dane", told["dane"])
        self.assertIn("delivered", told["dane"])
        self.assertEqual(verdict(told["good"]), DEFERRED)
        self.assertIn("DANE", told["good"])
        self.assertNotIn("mx.good.example", self.asked)

    def test_smart_host(self):
        """STS-10: its own name is the policy's domain."""
        self.domain("hub", policy("hub.example"))
        self.domain("good", policy("mx.elsewhere.example"))
        self.names.zone[("hub.example", "A")] = [HUB]
        hub = nexthop.NextHop(PORT, HUB, tls=self.certificate(
            "hub", "hub.example").context())
        self.addCleanup(hub.close)
        r = self.start(routes=[{"to": "*", "via": "smtp://hub.example"}],
                       deliver={"address_family": "ipv4",
                                "messages_per_connection": 1})
        history = self.fates(r, ["good"])["good"]
        self.assertEqual(verdict(history), GOOD, history)
        self.assertEqual(self.web.count("hub.example"), 1)
        self.assertEqual(self.web.count("good.example"), 0)
        self.names.zone[("_mta-sts.hub.example", "TXT")] = ["v=STSv1; id=2"]
        self.answer("hub", policy("other.example"))
        history = self.fates(r, ["good"])["good"]
        self.assertIn("none of those that the MTA-STS policy allows of "
                      "hub.example", history)
        self.assertEqual(len(hub.messages), 1)


@unittest.skipUnless(signed.are_there() and nginx.is_there(),
                     "no nsd, unbound and nginx")
class Programs(unittest.TestCase):
    """Names by nsd and unbound, policies by nginx."""

    DOMAINS = {"good": ("mx.good.example", SECURE, GOOD),
               "bad": ("mx.good.example", SECURE, DEFERRED),
               "plain": ("mx.plain.example", PLAIN, DEFERRED),
               "lost": (None, PLAIN, DELIVERED)}

    def test_them(self):
        folder = tempfile.mkdtemp(prefix="mtad-sts.")
        self.addCleanup(shutil.rmtree, folder, True)
        ca = client_ca.ClientCA(folder, "ca", "An authority")
        hosts = [f"mta-sts.{name}.example" for name in self.DOMAINS]
        web = nginx.Nginx(WEB, dane.Server(folder, "web", hosts, ca), hosts)
        self.addCleanup(web.close)
        records = []
        for name, (mx, address, _) in self.DOMAINS.items():
            records += [f"{name} MX 10 mx.{name}", f"mx.{name} A {address}",
                        f"mta-sts.{name} A {WEB}",
                        f'_mta-sts.{name} TXT "v=STSv1;" " id=1;"']
            if mx:
                web.put(f"mta-sts.{name}.example", PATH, policy(mx))
        names = signed.SignedNames(signed.Zone("example", records,
                                               is_signed=False))
        self.addCleanup(names.close)
        for address, server in ((SECURE, dane.Server(
                folder, "mx", ["mx.good.example"], ca)), (PLAIN, None)):
            hop = nexthop.NextHop(PORT, address,
                                  tls=server and server.context())
            self.addCleanup(hop.close)
        r = relay.Relay(start=False, routes=[], tls={"authorities": ca.pem},
                        dns={"servers": ["127.0.0.1:53"]},
                        deliver={"address_family": "ipv4"},
                        queue={"first_retry": "1h", "max_retry": "1h"})
        self.addCleanup(r.remove)
        self.addCleanup(r.stop)
        r.start()
        ids = {name: r.send(to=f"user@{name}.example")
               for name in self.DOMAINS}
        for name, (_, _, want) in self.DOMAINS.items():
            history = r.fate(ids[name])
            with self.subTest(name):
                self.assertEqual(verdict(history), want, history)
        self.assertEqual(web.log().count("GET /.well-known"), 4)
        self.assertRegex(r.log(), "policy_failed .*lost.*HTTP status 404")


if __name__ == "__main__":
    network.enter([WEB, SECURE, PLAIN, HUB, signed.AUTHORITY, signed.LAME])
    basics.main()
