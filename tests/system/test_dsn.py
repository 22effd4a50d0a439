"""What senders ask to be told of (RFC 3461): passed on to next hops that can
tell it themselves, obeyed where they can't."""
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, relay, report

BODY = b"Subject: x\r\n\r\nbody\r\n"
DSN = b"250-h\r\n250-PIPELINING\r\n250 DSN\r\n"
NO_DSN = b"250-h\r\n250 PIPELINING\r\n"
ENVID = "Env+2BId+3D+41_" + "x" * 80
ORCPT = "rfc822;Some.Body+2Bx@Old.example"


class Dsn(unittest.TestCase):
    def setUp(self):
        self.hop = nexthop.NextHop()
        self.addCleanup(self.hop.close)
        self.relay = relay.Relay(self.hop.port, queue={
            "first_retry": "300ms", "max_retry": "300ms"})
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)

    def send(self, recipients, sender="s@sender.example", parameters="",
             body=BODY):
        """Recipients: (address, parameters)."""
        with self.relay.connect() as c:
            c.hello()
            c.expect(f"MAIL FROM:<{sender}>{parameters}", 250)
            for address, words in recipients:
                c.expect(f"RCPT TO:<{address}>{words}", 250)
            self.assertEqual(c.content(body).code, 250)

    def said(self, verb, skip=""):
        """What next hops heard, without SIZE and BODY; not our reports."""
        lines = [line for s in self.hop.sessions for line in s.lines
                 if line.startswith(verb)]
        return [re.sub(r" (SIZE|BODY)=\S+", "", line) for line in lines
                if skip not in line or not skip]

    def reports(self):
        return [report.Report(m) for m in self.hop.messages
                if m.sender == "" and m.recipients == ["s@sender.example"]]

    def test_passed_on_as_it_came(self):
        """DSN-08 to -11: nothing is changed and nothing invented, also
        after a restart; and no report is ours to send."""
        self.hop.script = {"EHLO": DSN, "MAIL": b"450 4.2.0 later\r\n"}
        self.send([("a@served.example", f" NOTIFY=SUCCESS,DELAY "
                    f"ORCPT={ORCPT}"),
                   ("b@served.example", " NOTIFY=NEVER"),
                   ("c@served.example", "")],
                  parameters=f" RET=HDRS ENVID={ENVID}")
        basics.wait_for("an attempt", lambda: self.hop.sessions)
        self.relay.stop()
        self.relay.start()
        self.hop.script.pop("MAIL")
        self.relay.wait_empty()
        self.assertEqual(self.said("MAIL")[-1], "MAIL FROM:<s@sender.example>"
                         f" RET=HDRS ENVID={ENVID}")
        self.assertEqual(sorted(set(self.said("RCPT"))), [
            "RCPT TO:<a@served.example> NOTIFY=SUCCESS,DELAY "
            f"ORCPT={ORCPT}",
            "RCPT TO:<b@served.example> NOTIFY=NEVER",
            "RCPT TO:<c@served.example>"])
        self.send([("d@served.example", "")])
        self.relay.wait_empty()
        self.assertEqual(self.said("MAIL")[-1],
                         "MAIL FROM:<s@sender.example>")
        self.assertEqual(self.reports(), [])

    def test_relayed(self):
        """DSN-12, DSN-13, DSN-19, DSN-21: to a hop without DSN nothing of it
        is said, and who asked for success hears that it was passed on."""
        self.hop.script = {"EHLO": NO_DSN}
        self.send([("a@served.example", f" NOTIFY=SUCCESS ORCPT={ORCPT}"),
                   ("b@served.example", " NOTIFY=FAILURE"),
                   ("c@served.example", ""),
                   ("d@served.example", " NOTIFY=NEVER"),
                   ("e@served.example", " NOTIFY=DELAY,SUCCESS")],
                  parameters=f" RET=FULL ENVID={ENVID}")
        self.relay.wait_empty()
        for line in self.said("MAIL") + self.said("RCPT"):
            self.assertNotRegex(line, "RET=|ENVID=|NOTIFY=|ORCPT=")
        found, = self.reports()
        self.assertEqual(found.about["Original-Envelope-Id"],
                         "Env+Id=A_" + "x" * 80)
        self.assertEqual([g["Final-Recipient"] for g in found.groups],
                         ["rfc822; a@served.example",
                          "rfc822; e@served.example"])
        first = found.groups[0]
        self.assertEqual(first["Action"], "relayed")
        self.assertRegex(first["Status"], r"\A2\.\d+\.\d+\Z")
        self.assertEqual(first["Original-Recipient"],
                         "rfc822;Some.Body+x@Old.example")
        self.assertIn("passed on", found.text)
        self.assertNotIn("body", str(found.returned))

    def test_who_wants_to_know_of_failures(self):
        """DSN-14, DSN-15, DSN-16, DSN-17: and nobody else."""
        self.hop.script = {
            "EHLO": NO_DSN,
            "RCPT": lambda text, _: b"550 5.1.1 no\r\n"
            if "@served" in text else None}
        self.send([("a@served.example", " NOTIFY=SUCCESS"),
                   ("b@served.example", " NOTIFY=FAILURE"),
                   ("c@served.example", ""),
                   ("d@served.example", " NOTIFY=NEVER"),
                   ("e@served.example", " NOTIFY=DELAY")])
        self.relay.wait_empty()
        found, = self.reports()
        self.assertEqual([g["Final-Recipient"] for g in found.groups],
                         ["rfc822; b@served.example",
                          "rfc822; c@served.example"])
        self.send([("f@served.example", " NOTIFY=SUCCESS,FAILURE")],
                  sender="")
        self.relay.wait_empty()
        self.hop.script.pop("RCPT")
        self.send([("g@served.example", " NOTIFY=SUCCESS,FAILURE")],
                  sender="")
        self.relay.wait_empty()
        self.assertEqual(len(self.reports()), 1)
        self.assertEqual([m.recipients for m in self.hop.messages
                          if m.sender == ""], [["s@sender.example"],
                                               ["g@served.example"]])

    def test_a_mixed_result(self):
        """DSN-13: one is taken, one refused: two reports, each right."""
        self.hop.script = {
            "EHLO": NO_DSN,
            "RCPT": lambda text, _: b"550 5.1.1 no\r\n"
            if "<b@" in text else None}
        self.send([("a@served.example", " NOTIFY=SUCCESS,FAILURE"),
                   ("b@served.example", " NOTIFY=SUCCESS,FAILURE")])
        self.relay.wait_empty()
        told = sorted((g["Action"], g["Final-Recipient"])
                      for r in self.reports() for g in r.groups)
        self.assertEqual(told, [("failed", "rfc822; b@served.example"),
                                ("relayed", "rfc822; a@served.example")])


if __name__ == "__main__":
    basics.main()
