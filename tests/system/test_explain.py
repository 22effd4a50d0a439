"""`mtactl route explain`: the rule, the hosts, and what was left out, with a
scripted name server; and what another configuration would change."""
import json
import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nameserver, nexthop, relay

DONE, NO_HOST, USAGE, UNREACHED, FAILED = 0, 1, 2, 3, 4

ZONE = {
    ("mx.example", "MX"): [(20, "b.mx.example"), (10, "a.mx.example")],
    ("a.mx.example", "A"): ["127.0.1.1"],
    ("b.mx.example", "A"): ["127.0.1.2", "127.0.1.3"],
    ("equal.example", "MX"): [(10, "a.mx.example"), (10, "c.mx.example")],
    ("c.mx.example", "A"): ["127.0.1.4"],
    ("null.example", "MX"): [(0, "")],
    ("fail.example", "MX"): nameserver.SERVFAIL,
    ("own.example", "MX"): [(10, "a.mx.example"), (20, "relay.example.org"),
                            (30, "b.mx.example")],
    ("odd.example", "MX"): [(10, "zero.mx.example"), (20, "gone.mx.example"),
                            (30, "a.mx.example")],
    ("zero.mx.example", "A"): ["0.0.0.0", "224.0.0.1"],
}


class Explain(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.names = nameserver.NameServer(ZONE)
        cls.port = basics.free_ports(1)[0]
        cls.relay = relay.Relay(
            routes=[{"to": f"r{i}.example", "via": f"smtp://127.0.2.{i}"}
                    for i in range(10)] +
                   [{"to": "many.example", "from": "*@shop.example",
                     "via": ["smtp://127.0.2.1:2501", "smtps://named.example",
                             "lmtp://127.0.2.3:2503"],
                     "tls": "verified", "limits": {"connections": 3},
                     "retry": {"first": "5m", "expire": "1d"}}],
            dns={"servers": [f"127.0.0.1:{cls.names.port}"],
                 "timeout": "2s"},
            deliver={"port": cls.port, "address_family": "ipv4"},
            queue={"first_retry": "1h", "max_retry": "1h"}, start=False)
        with open(cls.relay.config_path, encoding="utf-8") as f:
            text = f.read()
        # a rule a line, as people write them
        cls.relay.write(text.replace('{"to"', '\n  {"to"'))
        cls.relay.start()

    @classmethod
    def tearDownClass(cls):
        cls.relay.stop()
        cls.relay.remove()
        cls.names.close()

    def explain(self, *words, code=DONE):
        p = self.relay.try_ctl("route", "explain", "--json", *words)
        self.assertEqual(p.returncode, code, p.stderr)
        answer = json.loads(p.stdout)
        self.assertEqual(answer["v"], 1)
        return answer

    def hosts(self, answer):
        return [h["address"] for h in answer["hosts"]]

    def at(self, *hosts):
        return [f"127.0.1.{host}:{self.port}" for host in hosts]

    # -- rules --------------------------------------------------------------
    def test_the_rule_with_its_line(self):
        answer = self.explain("u@r7.example")
        self.assertEqual(answer["rule"]["number"], 8)
        self.assertEqual(answer["rules"], 11)
        self.assertEqual(os.path.realpath(answer["file"]),
                         os.path.realpath(self.relay.config_path))
        with open(self.relay.config_path, encoding="utf-8") as f:
            line = f.read().splitlines()[answer["rule"]["line"] - 1]
        self.assertIn("r7.example", line)
        self.assertNotIn("r6.example", line)
        self.assertEqual(answer["destination"],
                         f"smtp://127.0.2.7:{self.port}")
        self.assertEqual(self.hosts(answer), [f"127.0.2.7:{self.port}"])
        self.assertNotIn("what_if", answer)

    def test_rules_before_it(self):
        answer = self.explain("u@r7.example")
        self.assertEqual([r["number"] for r in answer["before"]],
                         [3, 4, 5, 6, 7])
        self.assertEqual({r["miss"] for r in answer["before"]}, {"to"})
        self.assertEqual(answer["before"][0]["pattern"], "r2.example")
        answer = self.explain("u@r7.example", "--all")
        self.assertEqual([r["number"] for r in answer["before"]],
                         list(range(1, 8)))

    def test_the_sender_counts(self):
        answer = self.explain("u@many.example", code=NO_HOST)
        self.assertIsNone(answer["rule"])
        self.assertEqual(answer["before"][-1], {
            "number": 11, "line": answer["before"][-1]["line"],
            "miss": "from", "pattern": "*@shop.example"})
        self.assertEqual(answer["no_host"]["status"], "5.1.2")
        answer = self.explain("u@many.example", "--from", "<a@shop.example>")
        self.assertEqual(answer["rule"]["from"], "*@shop.example")
        self.assertEqual(answer["policy"]["connections"], 3)
        self.assertEqual(answer["policy"]["first_retry_ms"], 300000)
        self.assertEqual(answer["policy"]["expire_ms"], 86400000)
        self.assertEqual(answer["policy"]["tls"], "verified")

    def test_named_hosts_in_their_order(self):
        answer = self.explain("u@many.example", "--from", "a@shop.example")
        self.assertEqual([(h["address"], h["protocol"], h["tls"])
                          for h in answer["hosts"]],
                         [("127.0.2.1:2501", "smtp", "verified"),
                          ("127.0.2.3:2503", "lmtp", "verified")])
        self.assertEqual(answer["left_out"], [
            {"host": "named.example", "address": None,
             "text": "the name does not exist"}])

    # -- names --------------------------------------------------------------
    def test_exchangers_by_preference(self):
        answer = self.explain("u@mx.example")
        self.assertEqual(self.hosts(answer)[0], self.at(1)[0])
        self.assertEqual(sorted(self.hosts(answer)), self.at(1, 2, 3))
        self.assertEqual([(h["preference"], h["by_lot"])
                          for h in answer["hosts"]],
                         [(10, False), (20, True), (20, True)])
        self.assertTrue(answer["complete"])
        self.assertEqual(answer["helo"], "relay.example.org")
        self.assertEqual(answer["hosts"][0]["tls"], "opportunistic")
        answer = self.explain("u@mx.example", "--requiretls")
        self.assertEqual(answer["hosts"][0]["tls"], "verified")
        self.assertIn("REQUIRETLS", answer["hosts"][0]["tls_why"])
        self.assertTrue(answer["destination"].endswith(";requiretls"))

    def test_equal_ones_are_drawn(self):
        firsts = {self.hosts(self.explain("u@equal.example"))[0]
                  for _ in range(20)}
        self.assertEqual(sorted(firsts), self.at(1, 4))

    def test_what_is_refused(self):
        answer = self.explain("u@null.example", code=NO_HOST)
        self.assertEqual(answer["no_host"]["status"], "5.1.10")
        self.assertTrue(answer["no_host"]["permanent"])
        answer = self.explain("u@fail.example", code=NO_HOST)
        self.assertFalse(answer["no_host"]["permanent"])
        self.assertEqual(answer["no_host"]["status"], "4.4.3")
        answer = self.explain("u@own.example")
        self.assertEqual(self.hosts(answer), self.at(1))
        self.assertEqual([(n["host"], n["text"])
                          for n in answer["left_out"]],
                         [("relay.example.org",
                           "that is this host, by its name"),
                          ("b.mx.example",
                           "preferred no more than this host")])
        answer = self.explain("u@odd.example")
        self.assertEqual(self.hosts(answer), self.at(1))
        self.assertEqual([(n["host"], n["address"])
                          for n in answer["left_out"]],
                         [("zero.mx.example", "0.0.0.0"),
                          ("zero.mx.example", "224.0.0.1"),
                          ("gone.mx.example", None)])
        self.assertIn("refused", answer["left_out"][0]["text"])

    def test_nobody_is_dialled(self):
        with nexthop.NextHop(self.port, "127.0.1.1") as hop:
            self.explain("u@mx.example", "--all")
            self.assertEqual(hop.sessions, [])

    # -- for people ---------------------------------------------------------
    def test_for_people(self):
        text = self.relay.ctl("route", "explain", "u@own.example", "--from",
                              "a@b.example", "--size", "20K", "--client",
                              "192.0.2.7", "--user", "ann")
        for words in ("from <a@b.example> to <u@own.example>, of 20KiB, by "
                      "client 192.0.2.7, by user ann",
                      "none of 11: by MX", f"127.0.1.1:{self.port}",
                      "preference 10", "TLS opportunistic",
                      "relay.example.org: that is this host"):
            self.assertIn(words, text)
        self.assertNotIn("\033", text)

    def test_exit_codes(self):
        for words, code in (
                (("u@mx.example",), DONE), (("u@null.example",), NO_HOST),
                (("u@mx.example", "--client", "x"), USAGE),
                (("u@mx.example", "--size", "x"), USAGE),
                (("u@mx.example", "--header", "x"), USAGE),
                (("u@mx.example", "--limit", "3"), USAGE),
                (("nobody",), USAGE), ((), DONE),
                (("all", "--from", "x@y.example"), USAGE),
                (("-s", "/nonexistent", "u@mx.example"), UNREACHED)):
            with self.subTest(words):
                p = self.relay.try_ctl("route", "explain", *words)
                self.assertEqual(p.returncode, code, p.stderr)

    def test_a_destination_that_backs_off(self):
        """I-10"""
        self.relay.send(to="u@r1.example")
        self.relay.wait_count(1, "to:u@r1.example state:deferred")
        answer = self.explain("x@r1.example")
        self.assertGreaterEqual(answer["state"]["failures"], 1)
        self.assertIsNotNone(answer["state"]["blocked_until"])
        self.assertIn("refused", answer["state"]["reason"])
        self.relay.ctl("queue", "delete", "all", "--yes")

    def test_deliverd_away(self):
        """It is asked again, by hand; the rule is told all the same."""
        self.relay.kill("deliverd", signal.SIGSTOP)
        pid = self.relay.pids("deliverd")[0]
        asking = self.relay.command("mtactl", "route", "explain", "--json",
                                    "u@r2.example")
        with subprocess.Popen(asking, stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.PIPE) as p:
            time.sleep(1)
            os.kill(pid, signal.SIGKILL)
            out, err = p.communicate(timeout=basics.PATIENCE)
        self.assertEqual(p.returncode, FAILED, err)
        self.assertIn("deliverd", err)
        answer = json.loads(out)
        self.assertEqual(answer["rule"]["number"], 3)
        self.assertIsNone(answer["hosts"])
        basics.wait_for("a new one", lambda: self.relay.try_ctl(
            "route", "explain", "u@r2.example").returncode == DONE)


RULES = [
    {"to": "hold.example", "via": "hold"},
    {"to": "hold.example", "via": "smtp://127.0.2.1:2501"},
    {"client": "192.0.2.0/24", "via": "smtp://127.0.2.2:2502"},
    {"to": "facts.example", "user": "a*", "via": "smtp://127.0.2.3:2503"},
    {"to": "facts.example", "size": ">1MiB",
     "via": "smtp://127.0.2.4:2504"},
    {"to": "facts.example", "header": ["X-Route: bulk*", "List-Id: *"],
     "via": "smtp://127.0.2.5:2505"},
    {"to": "trash.example", "via": "discard"},
    {"to": "gone.example", "via": "refuse", "text": "5.1.6 We have moved"},
    {"to": "late.example", "header": "X-Bad: *", "via": "refuse"},
    {"to": "dane.example", "via": "smtp://127.0.2.6:2506", "tls": "dane"},
    {"to": "unix.example", "via": "lmtp:///run/store.sock", "tls": "dane"},
    {"to": "*", "via": "smtp://127.0.2.9:2509"},
]


class Facts(unittest.TestCase):
    """What only a message knows is said by options."""
    @classmethod
    def setUpClass(cls):
        cls.relay = relay.Relay(routes=RULES)

    @classmethod
    def tearDownClass(cls):
        cls.relay.stop()
        cls.relay.remove()

    def explain(self, *words, code=DONE):
        p = self.relay.try_ctl("route", "explain", "--json", *words)
        self.assertEqual(p.returncode, code, p.stderr)
        return json.loads(p.stdout)

    def text(self, *words):
        return self.relay.try_ctl("route", "explain", *words).stdout

    def number(self, *words):
        return self.explain("u@facts.example", *words)["rule"]["number"]

    def test_client_user_size_header(self):
        for words, number in (
                ((), 12), (("--client", "192.0.2.77"), 3),
                (("--client", "::ffff:192.0.2.77"), 3),
                (("--client", "192.0.3.77"), 12), (("--user", "ann"), 4),
                (("--user", "bob"), 12), (("--size", "1M"), 12),
                (("--size", "1048577"), 5), (("--header", "X-Route: x"), 12),
                (("--header", "x-rOUTE:  Bulk 7"), 6),
                (("--header", "Subject: y", "--header", "list-id: z"), 6),
                (("--header", "X-Route: x", "--header", "X-Route: bulk"),
                 12)):
            with self.subTest(words):
                self.assertEqual(self.number(*words), number)

    def test_what_they_miss(self):
        answer = self.explain("u@facts.example", "--user", "bob", "--size",
                              "5", "--all")
        self.assertEqual([(r["number"], r["miss"], r["pattern"])
                          for r in answer["before"]][2:7], [
            (3, "client", "192.0.2.0/24"), (4, "user", "a*"),
            (5, "size", ">1MiB"),
            (6, "header", "X-Route: bulk*, List-Id: *"),
            (7, "to", "trash.example")])
        self.assertEqual(answer["decisive"],
                         ["client", "user", "size", "header"])
        self.assertEqual(self.explain("u@facts.example", "--user", "a")[
            "decisive"], ["client", "user"])
        rule = self.explain("u@facts.example", "--size", "2M")["rule"]
        self.assertEqual((rule["client"], rule["user"], rule["size"],
                          rule["header"]), (None, None, ">1MiB", None))

    def test_what_was_not_said(self):
        self.assertIn("--client, --user, --size, --header: rules up to here "
                      "ask for them", self.text("u@facts.example"))
        self.assertIn("--client: rules up to here ask for it",
                      self.text("u@x.example"))
        self.assertNotIn("not said", self.text(
            "u@x.example", "--client", "10.0.0.1"))

    def test_what_is_done_here(self):
        for words, action, refusal in (
                (("u@hold.example",), "hold", None),
                (("u@trash.example",), "discard", None),
                (("u@gone.example",), "refuse-at-rcpt",
                 {"status": "5.1.6", "text": "We have moved"}),
                (("u@late.example", "--header", "X-Bad: 1"), "refuse",
                 {"status": "5.7.1",
                  "text": "mail is refused by a rule of this server"}),
                (("u@late.example",), "send", None)):
            with self.subTest(words):
                answer = self.explain(*words)
                self.assertEqual((answer["action"], answer["refusal"]),
                                 (action, refusal))
                self.assertEqual(answer["hosts"] == [], action != "send")
        self.assertIn("refused in the reply to RCPT: 550 5.1.6 We have moved",
                      self.text("u@gone.example"))

    def test_released(self):
        answer = self.explain("u@hold.example", "--released")
        self.assertEqual(answer["rule"]["number"], 2)
        self.assertEqual(answer["before"][0]["miss"], "released")

    def test_a_host_that_lacks_dane(self):
        answer = self.explain("u@dane.example", code=NO_HOST)
        host, = answer["hosts"]
        self.assertEqual((host["skipped"], host["tls"]), (True, "skipped"))
        self.assertFalse(answer["no_host"]["permanent"])
        self.assertIn("DANE", answer["no_host"]["text"])
        # RFC 8689 4.2.1: it lacks what the mail requires, too
        answer = self.explain("u@dane.example", "--requiretls", code=NO_HOST)
        self.assertEqual((answer["no_host"]["permanent"],
                          answer["no_host"]["status"]), (True, "5.7.30"))

    def test_a_socket_of_this_host(self):
        host, = self.explain("u@unix.example")["hosts"]
        self.assertEqual((host["host"], host["address"], host["protocol"],
                          host["tls"]),
                         ("/run/store.sock", None, "lmtp", "none"))

    def test_file_and_line_of_each_step(self):
        text = self.text("u@trash.example", "--all")
        for number in range(1, 7):
            self.assertIn(f"{self.relay.config_path}:", text)
            self.assertRegex(text, rf"mtad\.yaml:\d+: rule {number}: ")
        self.assertRegex(text, r"mtad\.yaml:\d+: rule 7 of 12, to trash")


def two_rules(port):
    return [{"to": "a.example", "via": "smtp://127.0.0.1:1"},
            {"to": "*", "via": f"smtp://127.0.0.1:{port}"}]


def waiting():
    """A relay with three messages that wait; two of them by the last rule."""
    made = relay.Relay(routes=two_rules(2), queue={"first_retry": "1h",
                                                   "max_retry": "1h"})
    for to in ("u@a.example", "u@b.example", "v@b.example"):
        made.send(to=to)
    made.wait_count(3, "state:deferred")
    return made


class WhatIf(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.relay = waiting()
        cls.new = os.path.join(cls.relay.folder, "new.yaml")
        with open(cls.relay.config_path, encoding="utf-8") as f:
            text = f.read()
        with open(cls.new, "w", encoding="utf-8") as f:
            f.write("# a new file\n" + text.replace('//127.0.0.1:2"',
                                                    '//127.0.0.1:3"'))

    @classmethod
    def tearDownClass(cls):
        cls.relay.stop()
        cls.relay.remove()

    def ctl(self, *words, code=DONE):
        p = self.relay.try_ctl(*words)
        self.assertEqual(p.returncode, code, p.stderr)
        return p.stdout

    def check(self, *words):
        answer = json.loads(self.ctl(*words, "--json", code=1))
        self.assertEqual((answer["messages"], answer["moved_messages"],
                          answer["moved_recipients"]), (3, 2, 2))
        self.assertEqual(answer["moves"], [
            {"before": "smtp://127.0.0.1:2", "after": "smtp://127.0.0.1:3",
             "recipients": 2}])
        self.assertEqual(sorted(r["to"] for r in answer["rows"]),
                         ["u@b.example", "v@b.example"])
        self.assertEqual(answer["file"], self.new)

    def test_which_messages_would_move(self):
        """By each of the forms; the first --config leads to the relay."""
        self.check("route", "diff", "--config", self.new)
        self.check("route", "diff", "--config", self.new, "all")
        self.check("route", "explain", "--config", self.new, "all")
        self.check("route", "explain", "--config", self.new)
        # by one alone, whose `runtime` is that of the relay
        p = subprocess.run(
            [os.path.join(basics.BIN, "mtactl"), "route", "diff", "--config",
             self.new], capture_output=True, text=True, check=False)
        self.assertEqual(p.returncode, 1, p.stderr)
        self.assertIn("would move", p.stdout)
        text = self.ctl("route", "diff", "--config", self.new, code=1)
        self.assertIn("-- 2 of 3 recipients, in 2 of 3 messages, would "
                      "move", text)

    def test_a_selection(self):
        answer = json.loads(self.ctl("route", "diff", "--config", self.new,
                                     "to:u@*", "--json", code=1))
        self.assertEqual((answer["messages"], answer["moved_messages"]),
                         (2, 1))
        answer = json.loads(self.ctl("route", "diff", "--config", self.new,
                                     "--limit", "1", "--json", code=1))
        self.assertEqual((len(answer["rows"]), answer["rows_left_out"]),
                         (1, 1))
        self.ctl("route", "diff", "--config", self.new, "colour:red", code=2)

    def test_nothing_moves(self):
        for words in ((), ("to:u@a.example", "--config", self.new)):
            answer = json.loads(self.ctl("route", "diff", *words, "--json"))
            self.assertEqual(answer["moved_messages"], 0)

    def test_nothing_is_changed(self):
        def look():
            # times of the next try are reckoned anew for each look
            return [(row["id"], row["state"], row["tries"])
                    for row in self.relay.list()]

        before = look()
        self.check("route", "diff", "--config", self.new)
        self.assertEqual(look(), before)

    def test_one_address(self):
        answer = json.loads(self.ctl("route", "explain", "--config",
                                     self.new, "x@b.example", "--json"))
        self.assertEqual(answer["destination"], "smtp://127.0.0.1:2")
        self.assertEqual(answer["what_if"], {
            "file": self.new, "rule": {
                "number": 2, "line": answer["rule"]["line"] + 1},
            "destination": "smtp://127.0.0.1:3", "moves": True})
        text = self.ctl("route", "explain", "--config", self.new,
                        "x@a.example")
        self.assertIn("rule 1, the same destination: smtp://127.0.0.1:1",
                      text)

    def test_a_broken_file(self):
        broken = os.path.join(self.relay.folder, "broken.yaml")
        with open(broken, "w", encoding="utf-8") as f:
            f.write("runtime: run\nroutes: [{to: 7.example, vai: mx}]\n")
        p = self.relay.try_ctl("route", "diff", "--config", broken)
        self.assertEqual((p.returncode, p.stdout), (FAILED, ""))
        self.assertIn("did you mean 'via'?", p.stderr)

    def test_config_diff(self):
        answer = json.loads(self.ctl("config", "diff", self.new, "--json",
                                     code=1))
        change, = answer["changes"]
        self.assertEqual((change["key"], change["needs_restart"],
                          change["processes"]),
                         ("routes", False, ["smtpd", "queued", "deliverd"]))
        text = self.ctl("config", "diff", "--config", self.new, code=1)
        self.assertIn('+     via: ["smtp://127.0.0.1:3"]', text)
        self.assertEqual(self.ctl("config", "diff", self.relay.config_path),
                         "no difference\n")
        self.ctl("config", "diff", code=USAGE)
        self.ctl("config", "diff", "/nonexistent", code=FAILED)


class Reload(unittest.TestCase):
    def test_what_would_move_does(self):
        """I-10: after the reload each message that was named arrives where it
        was said to, and no other one moves."""
        with nexthop.NextHop() as hop, waiting() as made:
            made.configure(routes=two_rules(hop.port))
            p = made.try_ctl("route", "diff", "--json")
            self.assertEqual(p.returncode, 1, p.stderr)
            rows = json.loads(p.stdout)["rows"]
            self.assertEqual({row["after"] for row in rows},
                             {f"smtp://127.0.0.1:{hop.port}"})
            made.ctl("reload")
            answer = json.loads(made.ctl("route", "diff", "--json"))
            self.assertEqual(answer["moved_recipients"], 0)
            answer = json.loads(made.ctl("route", "explain", "x@b.example",
                                         "--json"))
            self.assertEqual(answer["destination"],
                             f"smtp://127.0.0.1:{hop.port}")
            made.retry()
            made.wait_count(1, "state:deferred")
            made.wait_count(1, "all")
            self.assertEqual(sorted(row["to"] for row in rows), sorted(
                r for m in hop.messages for r in m.recipients))


if __name__ == "__main__":
    basics.main()
