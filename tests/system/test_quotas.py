"""Quotas of users, clients and networks: a stolen account is stopped within its
first hundred messages, over all sessions, also after a restart; an operator sees
it, and lets it go on."""
import base64
import json
import os
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, client, passwords, relay
from support.certificate import Certificate, trusting_all

ANN, BOB = ("ann", "s3cret pass"), ("bob@example.org", "pw of bob")
MAIL = "MAIL FROM:<a@sender.example>"
MESSAGE = [MAIL, "RCPT TO:<x@elsewhere.example>", "DATA", "\r\nhi\r\n."]


class Quotas(unittest.TestCase):
    def setUp(self):
        self.relay = relay.Relay(basics.free_ports(1)[0], start=False,
                                 queue={"first_retry": "1h",
                                        "max_retry": "1h"})
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)
        self.mx = self.relay.port
        self.port = basics.free_ports(1)[0]
        self.certificate = Certificate(self.relay.folder)
        self.passwords = os.path.join(self.relay.folder, "passwords")
        with open(self.passwords, "w", encoding="utf-8",
                  opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(passwords.crypt_line(*ANN) + passwords.crypt_line(*BOB))
        self.keys = {
            "listeners": [{"address": f"127.0.0.1:{self.mx}"},
                          {"address": f"127.0.0.1:{self.port}",
                           "service": "submission", "tls": "implicit"}],
            "relay": {"networks": ["127.0.0.99/32"]},
            "tls": {"certificate": self.certificate.chain,
                    "key": self.certificate.key},
            "auth": {"passwords": self.passwords}}

    def start(self, **keys):
        self.relay.configure(**self.keys, **keys)
        self.relay.start()

    def reload(self, **keys):
        self.relay.configure(**self.keys, **keys)
        self.relay.ctl("reload")

    def user(self, who):
        c = client.Client(self.port, has_greeting=False)
        c.socket = trusting_all().wrap_socket(c.socket)
        self.addCleanup(c.close)
        c.greeting = c.reply()
        c.command("EHLO client.example")
        said = base64.b64encode("\0".join(("", *who)).encode()).decode()
        self.assertEqual(c.command("AUTH PLAIN " + said).code, 235)
        return c

    def stranger(self, source):
        c = client.Client(self.mx, source=source)
        self.addCleanup(c.close)
        c.command("EHLO client.example")
        return c

    @staticmethod
    def send(c, lines=tuple(MESSAGE)):
        """The last reply, or the first refusal; the transaction is over."""
        for line in lines:
            reply = c.command(line)
            if reply.code >= 400:
                c.command("RSET")
                return reply
        return reply

    def send_all(self, c, most):
        """How many it took, and what refused the next one."""
        for n in range(most):
            reply = self.send(c)
            if reply.code != 250:
                return n, reply
        return most, None

    def rows(self):
        text = self.relay.ctl("quota", "list", "--json")
        return {(row["kind"], row["name"]): row
                for row in map(json.loads, text.splitlines())}


class StolenAccount(Quotas):
    def test_within_its_first_hundred(self):
        self.start()
        n, reply = self.send_all(self.user(ANN), 200)
        self.assertEqual(n, 100)
        self.assertEqual(reply.code, 450)
        self.assertIn("4.7.1 Quota used up; try again in ", reply.text)
        # another session hears it at once, another user nothing of it
        again = self.user(ANN)
        self.assertEqual(again.command(MAIL).code, 450)
        bob = self.user(BOB)
        self.assertEqual(self.send(bob).code, 250)
        self.assertRegex(self.relay.log(), r"quota_reached .*user=ann "
                         r"messages=100 recipients=100 again_in=")
        row = self.rows()["user", "ann"]
        self.assertEqual(row["messages"], {"used": 100, "limit": 100,
                                           "period_ms": 3600000})
        self.assertEqual(row["recipients"]["limit"], 1000)
        self.assertGreater(row["wait_ms"], 3600000)
        # who must wait comes first
        lines = self.relay.ctl("quota", "list").splitlines()
        self.assertRegex(lines[1], r"\Auser +ann +100 of 100/1h +"
                         r"100 of 1000/1d +1h")
        self.assertIn("1 of 100/1h", lines[2])
        # the restart of all; at MAIL, as soon as queued has told it
        self.relay.stop()
        self.relay.start()
        self.assertEqual(self.send(self.user(ANN)).code, 450)
        c = self.user(ANN)
        self.relay.ctl("quota", "reset", "user:ann")
        # smtpd hears it a moment later than the operator
        basics.wait_for("ann may send", lambda: self.send(c).code == 250)
        self.assertRegex(self.relay.log(), r"quota_reset .*user=ann uid=\d+")

    def test_many_sessions_at_once(self):
        """Each looks before it is full: who counts decides."""
        self.start()
        counts, codes = [], []
        sessions = [self.user(ANN) for _ in range(8)]

        def run(c):
            n, reply = self.send_all(c, 100)
            counts.append(n)
            codes.append(reply.code)
        threads = [threading.Thread(target=run, args=(c,)) for c in sessions]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(sum(counts), 100)
        self.assertEqual(set(codes), {450})
        self.assertEqual(self.relay.ctl("queue", "count").strip(), "100")

    def test_queued_is_killed(self):
        self.start()
        self.assertEqual(self.send_all(self.user(ANN), 60)[0], 60)
        path = os.path.join(self.relay.folder, "spool", "quotas")
        basics.wait_for("a file", lambda: os.path.exists(path))
        time.sleep(4)               # and all of them in it
        self.relay.kill("queued")
        basics.wait_for("queued", lambda: self.relay.try_ctl(
            "status").returncode == 0)
        self.assertEqual(self.send_all(self.user(ANN), 60)[0], 40)

    def test_a_damaged_file(self):
        """Counting begins anew, and mail goes on."""
        self.start()
        self.send_all(self.user(ANN), 100)
        self.relay.stop()
        path = os.path.join(self.relay.folder, "spool", "quotas")
        with open(path, "r+b") as f:
            f.seek(30)
            f.write(b"\xff\xff")
        self.relay.start()
        self.assertEqual(self.send(self.user(ANN)).code, 250)
        self.assertIn("quotas can't be read", self.relay.log())

    def test_recipients(self):
        self.start(limits={"user_recipients_rate": "10/1d"})
        c = self.user(ANN)
        many = [f"RCPT TO:<x{i}@elsewhere.example>" for i in range(11)]
        self.assertEqual(self.send(c, [MAIL, *many, "DATA", "\r\n."]).text,
                         "5.7.1 More recipients than your quota has at "
                         "all; split the message")
        self.assertEqual(self.send(c, [MAIL, *many[:7], "DATA",
                                       "\r\n."]).code, 250)
        reply = self.send(c, [MAIL, *many[:7], "DATA", "\r\n."])
        self.assertEqual(reply.text, "4.7.1 Quota used up; try again "
                                     "later")
        self.assertEqual(self.send(c, [MAIL, *many[:3], "DATA",
                                       "\r\n."]).code, 250)
        self.assertEqual(c.command(MAIL).code, 450)
        self.assertEqual(self.rows()["user", "ann"]["refused"], 0)

    def test_the_user_is_kept_with_the_message(self):
        self.start()
        self.send(self.user(BOB))
        row = json.loads(self.relay.ctl("queue", "list", "--json"))
        self.assertEqual(row["user"], BOB[0])
        self.assertIn(BOB[0], self.relay.ctl("message", "show", row["id"]))


class Rows(Quotas):
    def test_rows(self):
        self.start(quotas=[
            {"each": "user", "users": "bob@*", "messages": "150/1h"},
            {"each": "user", "messages": "4/1h"},
            {"each": "client", "networks": ["127.0.0.98/31"],
             "messages": "3/1h"},
            {"each": "network", "networks": ["127.0.0.64/26"],
             "messages": "5/1h"}])
        self.assertEqual(self.send_all(self.user(BOB), 120)[0], 120)
        self.assertEqual(self.send_all(self.user(ANN), 120)[0], 4)
        # trusted clients, too
        self.assertEqual(self.send_all(self.stranger("127.0.0.99"), 9)[0], 3)
        rows = self.rows()
        self.assertGreater(rows["client", "127.0.0.99"]["wait_ms"], 0)
        self.assertEqual(rows["network", "127.0.0.64/26"]["wait_ms"], 0)
        self.assertIsNone(rows["client", "127.0.0.99"]["recipients"])
        # a reload with more counts at once, from where it was
        self.reload(quotas=[
            {"each": "client", "networks": ["127.0.0.98/31"],
             "messages": "7/1h"},
            {"each": "network", "networks": ["127.0.0.64/26"],
             "messages": "5/1h"}])
        self.assertEqual(self.send_all(self.stranger("127.0.0.99"), 9)[0], 2)

    def test_mistakes(self):
        for keys, words in (
                ([{"each": "network", "messages": "1/1h"}],
                 "needs `networks`"),
                ([{"messages": "1/1h"}], "each is missing"),
                (["user"], "expected a rule such as"),
                ([{"each": "users"}], "expected one of user, client"),
                ([{"each": "user", "messages": "0/1h"}], "between 1 and"),
                ([{"each": "user", "message": "1/1h"}],
                 "did you mean 'messages'")):
            self.relay.configure(**self.keys, quotas=keys)
            p = subprocess.run(self.relay.command("mtad", "-t"), check=False,
                               capture_output=True, text=True)
            self.assertNotEqual(p.returncode, 0, keys)
            self.assertIn(words, p.stdout + p.stderr)

    def test_reset_of_nobody(self):
        self.start()
        for who, code in (("user:nobody", 4), ("nobody", 2), ("user:", 2),
                          ("people:ann", 2), ("user:" + 300 * "x", 2)):
            p = self.relay.try_ctl("quota", "reset", who)
            self.assertEqual(p.returncode, code, p.stderr)


if __name__ == "__main__":
    basics.main()
