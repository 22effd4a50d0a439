"""Reports about TLS: what becomes of it on real connections is counted, over a
restart and a kill, and when the day is over the domains that ask for it get
their mail, and no other (RPT-01 to RPT-05)."""
import email
import email.policy
import json
import os
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import (basics, client_ca, dane, nameserver, network, nexthop,
                     relay, volume, wall)

PORT = 25
HOST = "192.0.2.{}"
DAY = 86400
DOMAINS = ("good", "wrong", "mute", "silent", "twice", "fetch")
RECORD = "v=TLSRPTv1; rua=mailto:tls@reports.example"


class Tlsrpt(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mtad-tlsrpt.")
        self.addCleanup(shutil.rmtree, self.folder, True)
        os.chmod(self.folder, 0o755)
        self.wall = wall.Wall(self.folder)
        self.addCleanup(self.wall.close)
        ca = client_ca.ClientCA(self.folder, "ca", "An authority")
        self.good = dane.Server(self.folder, "good", ["mx.good.example"], ca)
        self.other = dane.Server(self.folder, "other", ["x.example"])
        self.names = nameserver.NameServer(self.zone(), says_ad=True)
        self.addCleanup(self.names.close)
        self.hops = {}
        for number, domain in enumerate(DOMAINS, 1):
            server = {"good": self.good, "wrong": self.other,
                      "silent": self.good, "fetch": self.good}.get(domain)
            self.hops[domain] = self.hop(number, server)
        self.reports = self.hop(20, None)
        self.relay = relay.Relay(
            start=False, folder=self.folder, routes=[],
            dns={"servers": [f"127.0.0.1:{self.names.port}"]},
            deliver={"port": PORT, "address_family": "ipv4",
                     "messages_per_connection": 1},
            queue={"first_retry": "1d", "max_retry": "1d",
                   "expire": "30d", "warn": "0s"},
            reports={"tls": "send", "postmaster": "pm@relay.example"})
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)
        self.relay.start()

    def zone(self):
        zone = {("reports.example", "MX"): [(10, "mx.reports.example")],
                ("mx.reports.example", "A"): [HOST.format(20)]}
        # RPT-03: who wants reports may demand more of them than he has
        zone[("_25._tcp.mx.reports.example", "TLSA")] = [
            bytes.fromhex("030101" + "ab" * 32)]
        for number, domain in enumerate(DOMAINS, 1):
            name = f"{domain}.example"
            zone[(name, "MX")] = [(10, f"mx.{name}")]
            zone[(f"mx.{name}", "A")] = [HOST.format(number)]
            zone[(f"_smtp._tls.{name}", "TXT")] = ["hello", RECORD]
        record = bytes.fromhex("030101" + self.good.tlsa(
            3, 1, 1).split()[-1])
        for domain in ("good", "wrong", "silent"):
            zone[(f"_25._tcp.mx.{domain}.example", "TLSA")] = [record]
        # a policy of MTA-STS where nobody answers
        zone[("_mta-sts.fetch.example", "TXT")] = ["v=STSv1; id=1;"]
        zone[("mta-sts.fetch.example", "A")] = [HOST.format(20)]
        del zone[("_smtp._tls.silent.example", "TXT")]
        # RPT-01: two are none
        zone[("_smtp._tls.twice.example", "TXT")] = [RECORD, RECORD]
        return zone

    def hop(self, number, server):
        hop = nexthop.NextHop(PORT, HOST.format(number),
                              tls=server and server.context())
        self.addCleanup(hop.close)
        return hop

    def send(self, domain, times=1):
        for _ in range(times):
            queue_id = self.relay.send(to=f"user@{domain}.example")
            basics.wait_for(f"a fate of {queue_id}", lambda i=queue_id: any(
                f"{word} id={i}" in self.relay.log()
                for word in ("delivered", "deferred")), 30)

    def midnight(self):
        """How far the next one is, and the hours in which reports go."""
        return DAY - time.time() % DAY + 4 * 3600 + 120

    def read(self, message):
        """The parts of a report, as a program would read them."""
        mail = email.message_from_bytes(message.content,
                                        policy=email.policy.default)
        self.assertEqual(mail.get_content_type(), "multipart/report")
        self.assertEqual(mail.get_param("report-type"), "tlsrpt")
        text, part = mail.iter_parts()
        self.assertEqual(text.get_content_type(), "text/plain")
        self.assertEqual(part.get_content_type(), "application/tlsrpt+json")
        report = json.loads(part.get_payload(decode=True))
        return mail, part.get_filename(), report

    def check_mail(self, message, domain):
        """RPT-04 (but for DKIM), RPT-05."""
        mail, name, report = self.read(message)
        self.assertEqual(message.sender, "")
        self.assertEqual(mail["TLS-Report-Domain"], domain)
        self.assertEqual(mail["TLS-Report-Submitter"], "relay.example.org")
        self.assertEqual(mail["TLS-Required"], "No")
        self.assertEqual(mail["From"], "pm@relay.example")
        begin = int(time.time()) // DAY * DAY
        span = report["date-range"]
        for key, at in (("start", begin), ("end", begin + DAY - 1)):
            self.assertEqual(span[f"{key}-datetime"], time.strftime(
                "%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)))
        self.assertEqual(name, f"relay.example.org!{domain}!{begin}!"
                               f"{begin + DAY - 1}.json")
        self.assertIn(report["report-id"], mail["Subject"])
        return report

    def check_sums(self, row):
        """RPT-02: the counts add up."""
        self.assertEqual(row["summary"]["total-failure-session-count"], sum(
            d["failed-session-count"] for d in row.get("failure-details",
                                                       [])))

    def arrived(self, count):
        basics.wait_for("the reports", lambda: len(
            self.reports.messages) >= count, 60)
        time.sleep(1)
        self.assertEqual(len(self.reports.messages), count)
        result = {}
        for message in self.reports.messages:
            domain = email.message_from_bytes(message.content)[
                "TLS-Report-Domain"]
            report = self.check_mail(message, domain)
            self.assertEqual(len(report["policies"]), 1)
            row = report["policies"][0]
            self.check_sums(row)
            self.assertEqual(row["policy"]["policy-domain"], domain)
            result[domain] = row
        return result

    # -- the test -----------------------------------------------------------
    def test_a_day(self):
        r = self.relay
        self.send("good", 2)
        time.sleep(6)                   # the counts are kept by now
        r.kill("queued")
        basics.wait_for("queued is back", lambda: r.try_ctl(
            "queue", "count").returncode == 0)
        self.send("good")
        for domain in DOMAINS[1:]:
            self.send(domain)
        r.stop()
        r.start()
        self.assertEqual(self.names.count("_smtp._tls.good.example", "TXT"),
                         0)
        self.wall.set(int(self.midnight()))
        told = self.arrived(4)
        self.assertEqual(set(told), {"good.example", "wrong.example",
                                     "mute.example", "fetch.example"})
        self.check_good(told["good.example"])
        self.check_wrong(told["wrong.example"])
        self.check_mute(told["mute.example"])
        self.check_fetch(told["fetch.example"])
        self.assertEqual(r.log().count(" tls_reported "), 4)
        for domain in ("silent", "twice"):
            name = f"_smtp._tls.{domain}.example"
            basics.wait_for(f"a question for {name}", lambda n=name:
                            self.names.count(n, "TXT") == 1, 60)
        # what was told is not told again; the reports themselves count
        self.wall.set(int(self.midnight()) + DAY)
        time.sleep(15)
        self.assertEqual(len(self.reports.messages), 4)

    def check_good(self, row):
        self.assertEqual(row["policy"]["policy-type"], "tlsa")
        self.assertEqual(row["policy"]["policy-string"], [
            self.good.tlsa(3, 1, 1).removeprefix("TLSA ")])
        self.assertEqual(row["summary"], {
            "total-successful-session-count": 3,
            "total-failure-session-count": 0})

    def check_wrong(self, row):
        self.assertEqual(row["policy"]["policy-type"], "tlsa")
        self.assertEqual(row["summary"], {
            "total-successful-session-count": 0,
            "total-failure-session-count": 1})
        detail, = row["failure-details"]
        self.assertEqual(detail["result-type"], "certificate-not-trusted")
        self.assertEqual(detail["receiving-mx-hostname"], "mx.wrong.example")
        self.assertEqual(detail["receiving-ip"], HOST.format(2))
        self.assertIn("DANE", detail["failure-reason-code"])
        self.assertTrue(detail["sending-mta-ip"])

    def check_fetch(self, row):
        """It had its mail, by TLS; that there may be a policy is told."""
        self.assertEqual(row["policy"]["policy-type"], "sts")
        detail, = row["failure-details"]
        self.assertEqual(detail["result-type"], "sts-policy-fetch-error")
        self.assertTrue(detail["failure-reason-code"])
        self.assertEqual(len(self.hops["fetch"].messages), 1)

    def check_mute(self, row):
        self.assertEqual(row["policy"]["policy-type"], "no-policy-found")
        detail, = row["failure-details"]
        self.assertEqual(detail["result-type"], "starttls-not-supported")
        self.assertEqual(len(self.hops["mute"].messages), 1)


if __name__ == "__main__":
    volume.enter()
    network.enter([HOST.format(i) for i in range(1, 21)])
    basics.main()
