"""What others say of a client: lists in the DNS, names of addresses.
DNSL-01 to -12, T16, T17"""
import ipaddress
import json
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nameserver, nexthop, relay, unbound
from support.nameserver import NXDOMAIN, SERVFAIL, SILENCE

BLOCK, SOME, ALLOW = "block.example", "some.example", "allow.example"
LISTED, GOOD = "127.0.0.9", "127.0.0.8"


def reverse(address, zone):
    labels = ipaddress.ip_address(address).reverse_pointer
    return labels.replace("in-addr.arpa", zone).replace("ip6.arpa", zone)


def entry(address, zone, *answers, text=None):
    rows = {(reverse(address, zone), "A"): list(answers) or ["127.0.0.2"]}
    if text is not None:
        rows[(reverse(address, zone), "TXT")] = [text]
    return rows


def a_list(zone):
    """What each list has by RFC 5782 section 5."""
    return entry("127.0.0.2", zone)


class Gate(unittest.TestCase):
    def start(self, zone=None, gate=None, log=None, **keys):
        self.hop = nexthop.NextHop()
        self.addCleanup(self.hop.close)
        self.names = nameserver.NameServer({**a_list(BLOCK), **a_list(SOME),
                                            **a_list(ALLOW), **(zone or {})})
        self.addCleanup(self.names.close)
        self.relay = relay.Relay(
            self.hop.port, dns={"servers": [f"127.0.0.1:{self.names.port}"]},
            gate=gate or {"blocklists": [BLOCK]}, log=log or {},
            workers={"smtpd": 1}, **keys)
        self.addCleanup(self.relay.remove)

    def try_mail(self, source, to="to@served.example"):
        """The reply to RCPT; a message when it is taken."""
        with self.relay.connect(source=source) as c:
            c.hello()
            c.expect("MAIL FROM:<a@sender.example>", 250)
            reply = c.command(f"RCPT TO:<{to}>")
            if reply.code == 250:
                self.assertEqual(c.content(b"Subject: x\r\n\r\nx\r\n").code,
                                 250)
            return reply

    def finish(self):
        self.relay.wait_empty()
        self.relay.stop()

    def traces(self):
        self.relay.wait_empty()
        return [m.content.split(b"\r\n\tby ")[0].decode()
                for m in self.hop.messages]

    def test_blocklist(self):
        """DNSL-03, DNSL-04: refused with the list's words, at RCPT; not the
        postmaster's mail, not a client of ours, not one that is in no list.
        What is refused for another reason hears that."""
        self.start(entry(LISTED, BLOCK, text="spam, see https://list.example"))
        reply = self.try_mail(LISTED)
        self.assertEqual((reply.code, reply.status), (550, "5.7.1"))
        self.assertIn(f"{LISTED} is listed by {BLOCK}: spam, see "
                      "https://list.example", reply.text)
        self.assertEqual(self.try_mail(LISTED, "b@elsewhere.example").text,
                         self.try_mail(GOOD, "b@elsewhere.example").text)
        for to in ("postmaster", "PostMaster@relay.example.org"):
            self.assertEqual(self.try_mail(LISTED, to).code, 250)
        self.assertEqual(self.try_mail(GOOD).code, 250)
        self.assertEqual(self.try_mail("127.0.0.1").code, 250)
        self.assertEqual(self.names.count(reverse("127.0.0.1", BLOCK), "A"), 1)
        self.finish()
        log = self.relay.log()
        self.assertIn(f'client={LISTED}', log)
        self.assertIn(f"list_tested list={BLOCK}", log)
        self.assertNotIn("list_broken", log)

    def test_pipelined(self):
        """All in one piece: the answers are waited for behind MAIL."""
        self.start(entry(LISTED, BLOCK))
        for source, code in ((LISTED, 550), (GOOD, 250)):
            with self.relay.connect(source=source) as c:
                c.send("EHLO a.example\r\nMAIL FROM:<a@b.example>\r\n"
                       "RCPT TO:<c@served.example>\r\nRSET\r\nQUIT\r\n")
                self.assertEqual([c.reply().code for _ in range(5)],
                                 [250, 250, code, 250, 221])
        self.finish()

    def test_answers_that_count(self):
        """DNSL-05: a range of the last octet; others don't list."""
        self.start({**entry("127.0.0.10", SOME, "127.0.0.3"),
                    **entry("127.0.0.11", SOME, "127.0.0.11"),
                    **entry("127.0.0.12", SOME, "127.0.0.12"),
                    **entry("127.0.0.13", SOME, "127.0.1.3"),
                    **entry("127.0.0.14", SOME, "127.0.0.99", "127.0.0.4")},
                   {"blocklists": [f"{SOME}=127.0.0.2-11"]})
        codes = [self.try_mail(f"127.0.0.{i}").code for i in range(10, 15)]
        self.assertEqual(codes, [550, 550, 250, 250, 550])
        self.finish()

    def test_allowlist(self):
        """DNSL-06: who is in an allowlist is not refused for a blocklist."""
        self.start({**entry(LISTED, BLOCK), **entry("127.0.0.10", BLOCK),
                    **entry(LISTED, ALLOW)},
                   {"blocklists": [SOME, BLOCK], "allowlists": [ALLOW]})
        self.assertEqual(self.try_mail(LISTED).code, 250)
        self.assertEqual(self.try_mail("127.0.0.10").code, 550)
        self.finish()

    def test_broken_lists(self):
        """DNSL-07 to DNSL-09: a list that lists everybody, one that answers
        with an address of somebody, one that refuses our questions: none
        refuses mail, and the log says so, not once for each client."""
        everybody = {(reverse(a, SOME), "A"): ["127.0.0.2"]
                     for a in ("127.0.0.1", LISTED)}
        self.start({**everybody, **entry(LISTED, BLOCK, "192.0.2.99"),
                    **entry(LISTED, ALLOW, "127.255.255.254")},
                   {"blocklists": [SOME, BLOCK, ALLOW]})
        self.relay.wait_log(f"list_broken level=warning list={SOME} ")
        for _ in range(5):
            self.assertEqual(self.try_mail(LISTED).code, 250)
        self.finish()
        log = self.relay.log()
        self.assertIn("as it would everybody", log)
        self.assertIn("it answers with an address of somebody: 192.0.2.99",
                      log)
        self.assertIn("it refuses our questions: 127.255.255.254", log)
        self.assertEqual(log.count("list_broken"), 3)

    def test_no_answer(self):
        """DNSL-10: silence and failures of name servers refuse nobody, and
        cost no more than gate.timeout."""
        self.start({(reverse(LISTED, BLOCK), "A"): SILENCE,
                    (reverse(GOOD, BLOCK), "A"): SERVFAIL},
                   {"blocklists": [BLOCK], "timeout": "1s",
                    "reverse_name": "refuse"})
        self.names.zone[(reverse(LISTED, "in-addr.arpa"), "PTR")] = SILENCE
        self.names.zone[(reverse(GOOD, "in-addr.arpa"), "PTR")] = SERVFAIL
        begin = time.monotonic()
        self.assertEqual(self.try_mail(LISTED).code, 250)
        self.assertGreater(time.monotonic() - begin, 0.9)
        self.assertEqual(self.try_mail(GOOD).code, 250)
        self.assertLess(time.monotonic() - begin, 30)
        # without a dnsd, or with the next one
        self.relay.kill("dnsd")
        self.assertEqual(self.try_mail("127.0.0.10", "postmaster").code, 250)
        self.finish()
        log = self.relay.log()
        self.assertIn(f"gate_unanswered client={LISTED}", log)
        for source in (LISTED, GOOD):
            self.assertRegex(log, f" accepted .* client={source} .* "
                             "name=unknown gate=unanswered")

    def test_names(self):
        """DNSL-11: the name whose address is the client's is in the trace and
        in the log; else it is unknown."""
        arpa = "in-addr.arpa"
        self.start({
            (reverse(GOOD, arpa), "PTR"): ["no.example", "Mail.Good.Example"],
            ("mail.good.example", "A"): ["192.0.2.1", GOOD],
            ("no.example", "A"): ["192.0.2.1"],
            (reverse(LISTED, arpa), "PTR"): ["mail.good.example"],
            (reverse("127.0.0.10", arpa), "PTR"): ["a b.example"],
            (reverse("127.0.0.11", arpa), "PTR"): ["x).good.example"],
            ("x).good.example", "A"): ["127.0.0.11"]},
            {"reverse_name": "log"})
        for last in (8, 9, 10, 11, 12):
            self.assertEqual(self.try_mail(f"127.0.0.{last}").code, 250)
        self.assertEqual(self.try_mail("127.0.0.1").code, 250)
        want = [f"(mail.good.example [{GOOD}])",
                *(f"(unknown [127.0.0.{i}])" for i in (9, 10, 11, 12)),
                "([127.0.0.1])"]
        self.assertEqual(sorted(t.partition(" ")[2].split(" ", 2)[2]
                                for t in self.traces()), sorted(want))
        self.finish()
        self.assertIn("name=mail.good.example", self.relay.log())

    def test_nameless(self):
        """DNSL-12: refuse without a name that leads back."""
        arpa = "in-addr.arpa"
        self.start({(reverse(GOOD, arpa), "PTR"): ["good.example"],
                    ("good.example", "A"): [GOOD],
                    (reverse(LISTED, arpa), "PTR"): ["good.example"]},
                   {"reverse_name": "refuse"})
        self.assertEqual(self.try_mail(GOOD).code, 250)
        for source in (LISTED, "127.0.0.10"):
            reply = self.try_mail(source)
            self.assertEqual((reply.code, reply.status), (550, "5.7.25"))
            self.assertIn(f"{source} has no name that leads back", reply.text)
        self.assertEqual(self.try_mail(LISTED, "postmaster").code, 250)
        self.finish()

    def test_hostile_text(self):
        """T16, T17: whatever a list's text holds is one printable line of the
        reply, and one record of the log."""
        texts = {"127.0.0.10": b"a\r\n250 2.0.0 ok\r\n", "127.0.0.11": b"",
                 "127.0.0.12": "\u202e\x1b[2J\0".encode() + b"\xff\xfe",
                 "127.0.0.13": b"%s%n\"\\" + b"x" * 5000}
        zone = {}
        for source, text in texts.items():
            zone.update(entry(source, BLOCK, text=text))
        self.start(zone, log={"format": "json"})
        for source in texts:
            reply = self.try_mail(source)
            self.assertEqual((reply.code, len(reply.lines)), (550, 1))
            self.assertTrue(all(32 <= o < 127
                                for o in reply.lines[0][:-2]), reply)
        self.finish()
        rejected = 0
        for line in self.relay.log().splitlines():
            self.assertLessEqual(len(line), 2048)
            rejected += json.loads(line)["event"] == "rejected"
        self.assertEqual(rejected, len(texts))

    @unittest.skipUnless(unbound.is_there(), "no unbound")
    def test_real_resolver(self):
        """All of it by way of unbound."""
        long = "x" * 200
        with unbound.Unbound(
                [BLOCK, ALLOW, "127.in-addr.arpa", "good.example"],
                [f"{reverse(a, BLOCK)}. A 127.0.0.2" for a in (
                    "127.0.0.2", LISTED, "127.0.0.10")] +
                [f'{reverse(LISTED, BLOCK)}. TXT "ask" " the list {long}"',
                 f"{reverse('127.0.0.2', ALLOW)}. A 127.0.0.2",
                 f"{reverse('127.0.0.10', ALLOW)}. A 127.0.7.2",
                 f"{reverse(GOOD, 'in-addr.arpa')}. PTR mail.good.example.",
                 f"mail.good.example. A {GOOD}"]) as names:
            self.start(None, {"blocklists": [BLOCK], "allowlists": [ALLOW],
                              "reverse_name": "log"})
            self.relay.configure(dns={"servers": [f"127.0.0.1:{names.port}"]})
            self.relay.ctl("reload")
            reply = self.try_mail(LISTED)
            self.assertEqual(reply.code, 550)
            self.assertIn(f"is listed by {BLOCK}: ask the list", reply.text)
            self.assertEqual(self.try_mail("127.0.0.10").code, 250)
            self.assertEqual(self.try_mail(GOOD).code, 250)
            self.finish()
        log = self.relay.log()
        self.assertIn("name=mail.good.example", log)
        self.assertNotIn("list_broken", log)
        self.assertNotIn("unanswered", log)

    def test_reload(self):
        """Lists come and go; sessions that are waiting are not hurt."""
        self.start({(reverse(GOOD, BLOCK), "A"): SILENCE,
                    **entry(LISTED, SOME)},
                   {"blocklists": [BLOCK], "timeout": "2s"})
        with self.relay.connect(source=GOOD) as c:
            c.hello()
            c.expect("MAIL FROM:<a@sender.example>", 250)
            c.send("RCPT TO:<b@served.example>\r\n")
            self.relay.configure(gate={"blocklists": [SOME]})
            self.relay.ctl("reload")
            self.assertEqual(self.try_mail(LISTED).code, 550)
            self.assertEqual(c.reply().code, 250)
            c.expect("RSET", 250)
        self.relay.configure(gate={"blocklists": []})
        self.relay.ctl("reload")
        self.assertEqual(self.try_mail(LISTED).code, 250)
        self.finish()

    def test_crowd(self):
        """Those who leave while they are asked about leave nothing behind;
        who only connects is not asked about."""
        self.start({(reverse(f"127.0.1.{i}", BLOCK), "A"): SILENCE
                    for i in range(1, 100)})
        for i in range(1, 100):
            with self.relay.connect(source=f"127.0.1.{i}") as c:
                if i % 2:
                    c.send("EHLO a.example\r\nMAIL FROM:<a@b.example>\r\n"
                           "RCPT TO:<c@served.example>\r\n")
                    c.reply()
        self.assertEqual(self.try_mail(GOOD).code, 250)
        self.assertEqual(sum(self.names.count(reverse(f"127.0.1.{i}", BLOCK),
                                              "A")
                             for i in range(2, 100, 2)), 0)
        self.finish()


if __name__ == "__main__":
    basics.main()
