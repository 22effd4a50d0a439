"""What holds destinations back besides their own answers: what refusals teach,
circuit breakers, operators, groups behind the same hosts, warm-up; by MX, in a
network of its own."""
import json
import os
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nameserver, network, nexthop, relay

PORT = 25       # elsewhere loopback addresses are allowed
HOSTS = [f"192.0.2.{i}" for i in range(1, 5)]
POSTMASTER = "pm@e28.example"
TOO_MUCH = b"450 4.7.1 Too fast, slow down\r\n"
NEVER = b"550 5.7.1 your network is on our list\r\n"


def zone():
    """d0.example ... behind mx1, e0.example ... behind mx2 and mx3."""
    rows = {(f"mx{i}.example", "A"): [f"192.0.2.{i}"] for i in range(1, 5)}
    for i in range(30):
        rows[f"d{i}.example", "MX"] = [(10, "mx1.example")]
        rows[f"e{i}.example", "MX"] = [(10, f"e{i}.mx.example")]
        rows[f"e{i}.mx.example", "A"] = ["192.0.2.2"]
    return rows


def too_much(times):
    """A script for RCPT: the first ones are too many."""
    return {"RCPT": [TOO_MUCH] * times + [None]}


class Shaping(unittest.TestCase):
    def setUp(self):
        self.names = nameserver.NameServer(zone())
        self.addCleanup(self.names.close)
        self.relay = relay.Relay(start=False)
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)

    def configure(self, **keys):
        keys = {"routes": [], "queue": {}, "deliver": {}, **keys}
        self.relay.configure(**{
            **keys,
            "reports": {"postmaster": POSTMASTER},
            "dns": {"servers": [f"127.0.0.1:{self.names.port}"],
                    "timeout": "2s"},
            "deliver": {"port": PORT, "connect_timeout": "1s",
                        "address_family": "ipv4", **keys["deliver"]},
            "queue": {"first_retry": "1h", "max_retry": "1h",
                      **keys["queue"]}})

    def start(self, **keys):
        self.configure(**keys)
        self.relay.start()

    def hop(self, number, **script):
        hop = nexthop.NextHop(PORT, f"192.0.2.{number}", **script)
        self.addCleanup(hop.close)
        return hop

    def send(self, count, domain="d0.example", sender="from@e29.example"):
        with self.relay.connect() as c:
            c.hello()
            return [c.mail(sender, [f"u{i}@{domain}"],
                           b"Subject: x\r\n\r\nbody\r\n")
                    for i in range(count)]

    def rows(self, *words):
        text = self.relay.ctl("dest", "list", *words, "--json")
        return {row["destination"]: row
                for row in map(json.loads, text.splitlines())}

    def show(self, name):
        return json.loads(self.relay.ctl("dest", "show", name, "--json"))

    def limits(self, name):
        return {(limit["name"], limit["value"]): limit["source"]
                for limit in self.show(name)["limits"]}

    def explain(self, queue_id):
        return json.loads(self.relay.ctl("message", "explain", queue_id,
                                         "--json"))["recipients"][0]

    def wait_state(self, name, state):
        def has():
            row = self.rows().get(name)
            return row if row and row["state"] == state else None
        return basics.wait_for(f"{name} is {state}", has)

    def wait_got(self, hop, count):
        basics.wait_for(f"{count} messages have come",
                        lambda: len(hop.messages) >= count)

    def wait_tried(self, queue_id):
        """Until it has been tried; how long to the next try, s."""
        def tried():
            r = self.explain(queue_id)
            return r if r["tries"] else None
        return seconds_to(basics.wait_for("a try", tried)["next"])


def seconds_to(text):
    at = time.strptime(text[:19] + "Z", "%Y-%m-%dT%H:%M:%SZ")
    return time.mktime(at) - time.mktime(time.gmtime())


class Lessons(Shaping):
    """What temporary refusals teach."""

    def test_slow(self):
        """One that says it is too much gets less."""
        hop = self.hop(1, **too_much(1))
        self.start(shaping=[{"reply": "450 4.7.1 *slow down*",
                             "action": "slow", "rate": "2/1s",
                             "for": "10m"}],
                   queue={"first_retry": "1s", "max_retry": "1s"})
        self.send(1)
        self.wait_got(hop, 1)
        self.relay.wait_log("dest_slowed")
        begin = time.monotonic()
        self.send(5)
        self.wait_got(hop, 6)
        self.assertGreater(time.monotonic() - begin, 1.8)
        self.assertEqual(self.show("d0.example")["rate"],
                         {"messages": 2, "period_ms": 1000})
        self.assertIn("slow down", self.limits("d0.example")["rate", "2/1s"])
        # others are as fast as before
        self.send(20, "d1.example")
        self.wait_got(hop, 26)
        self.assertLess(time.monotonic() - begin, 10)
        # it outlives a restart, and ends with a reset
        self.relay.stop()
        self.relay.start()
        self.assertIn("slow down", self.limits("d0.example")["rate", "2/1s"])
        self.send(1)
        self.wait_got(hop, 27)
        self.send(1)
        self.assertEqual(self.show("d0.example")["rate"]["messages"], 2)
        self.relay.ctl("dest", "reset", "d0.example")
        self.send(1)
        self.wait_got(hop, 29)
        self.assertIsNone(self.show("d0.example")["rate"])

    def test_greylisted(self):
        """It is about one message; the destination is well."""
        self.hop(1, RCPT=lambda line, _: b"450 4.2.0 Greylisted, see "
                 b"http://x.example\r\n" if "<u0@" in line else None)
        self.start()
        first = self.send(1)[0]
        self.assertAlmostEqual(self.wait_tried(first), 300, delta=5)
        self.send(5)
        self.relay.wait_count(2)
        self.assertEqual(self.show("d0.example")["state"], "ok")

    def test_come_back_later(self):
        """421 is about all; by the rules that are built in."""
        hop = self.hop(1, MAIL=[b"421 4.7.0 Try again later\r\n", None])
        self.start(queue={"first_retry": "1s", "max_retry": "2s"})
        self.send(1)
        row = self.wait_state("d0.example", "back_off")
        self.assertAlmostEqual(seconds_to(row["until"]), 300, delta=10)
        self.assertIn("Try again later", row["text"])
        queue_id = self.send(1)[0]
        self.assertEqual(self.explain(queue_id)["block"], "destination")
        self.assertEqual(len(hop.messages), 0)
        # a rule of ours comes first; after a reset it is as if nothing was
        self.configure(queue={"first_retry": "1s", "max_retry": "2s"},
                       shaping=[{"reply": "421 *later*", "action": "none"}])
        self.relay.ctl("reload")
        self.relay.ctl("dest", "reset", "d0.example")
        self.relay.retry()
        self.wait_got(hop, 2)

    def test_suspend(self):
        hop = self.hop(1, MAIL=[b"450 4.7.1 you are on a list\r\n", None])
        self.start(shaping=[{"reply": "4?? *on a list*", "to": "d?.example",
                             "action": "suspend"}])
        self.send(1)
        row = self.wait_state("d0.example", "suspended")
        self.assertIn("by a rule", row["why"])
        self.assertIn("you are on a list", row["why"])
        self.assertRegex(self.relay.log(), r"dest_suspended .*destination="
                         r"d0.example by=rule")
        self.relay.ctl("queue", "retry", "all")
        time.sleep(0.5)
        self.assertEqual(len(hop.messages), 0)
        self.relay.ctl("dest", "resume", "d0.example")
        self.relay.retry()
        self.wait_got(hop, 1)


class Breaker(Shaping):
    """Instead of a thousand reports."""

    def setUp(self):
        super().setUp()
        self.senders = self.hop(2)

    def reports(self):
        """How many senders have heard, when all have."""
        self.relay.wait_count(0, "from:<>")
        return sum(m.sender == "" and m.recipients != [POSTMASTER]
                   for m in self.senders.messages)

    def told(self):
        """What the postmaster has heard."""
        return [m.content.decode() for m in self.senders.messages
                if m.recipients == [POSTMASTER]]

    def test_destination(self):
        hop = self.hop(1, MAIL=NEVER)
        self.start(deliver={"breaker": "20/1m"})
        self.send(100)
        row = self.wait_state("d0.example", "suspended")
        self.assertIn("by its circuit breaker: 20 messages refused for good in 1m",
                      row["why"])
        self.assertIn("on our list", row["why"])
        basics.wait_for("all is at rest", lambda: self.rows()[
            "d0.example"]["leased"] == 0)
        self.assertEqual(self.reports(), 19)
        self.assertEqual(self.relay.count("to:*@d0.example"), 81)
        self.assertEqual(self.relay.log().count("dest_suspended"), 1)
        told, = self.told()
        self.assertIn("\r\nSubject: Mail for d0.example is held\r\n", told)
        self.assertIn("\r\nAuto-Submitted: auto-generated\r\n", told)
        self.assertIn("550 5.7.1 your network", told)
        self.assertIn("\r\n    mtactl dest resume 'd0.example'\r\n", told)
        # others go on, as long as they have an answer of their own
        self.send(3, "e0.example")
        self.relay.wait_count(0, "to:*@e0.example")
        # somebody has looked, and the host has mended it
        hop.script["MAIL"] = None
        self.assertIn("1 suspension", self.relay.ctl(
            "dest", "resume", "d0.example"))
        self.relay.retry("to:*@d0.example")
        self.wait_got(hop, 81)
        self.relay.wait_count(0, "to:*@d0.example")
        self.assertEqual(self.reports(), 19)

    def test_bulk_with_dead_addresses(self):
        """Some of very many are dead: that is no reason to stop."""
        hop = self.hop(1, RCPT=lambda line, _: b"550 5.1.1 no such user\r\n"
                       if int(line.split("u")[1].split("@")[0]) % 3 == 0
                       else None)
        self.start(deliver={"breaker": "20/1m"})
        self.send(150)
        self.wait_got(hop, 100)
        self.relay.wait_count(0, "to:*@d0.example")
        self.assertEqual(self.reports(), 50)
        self.assertNotIn("dest_suspended", self.relay.log())

    def test_route(self):
        """A route that fails is more than its destinations."""
        hop = self.hop(1, MAIL=NEVER)
        self.start(deliver={"breaker": "20/1m", "breaker_share": 80},
                   routes=[{"to": ["e28.example", "e29.example"],
                            "via": "mx"}])
        for i in range(12):
            self.send(6, f"d{i}.example")
        row = self.wait_state("route:mx", "suspended")
        self.assertIn("by its circuit breaker", row["why"])
        self.assertEqual(self.show("route:mx")["state"], "suspended")
        self.assertEqual(self.limits("route:mx")["breaker", "20/1m"],
                         "deliver.breaker")
        time.sleep(0.5)
        self.assertLess(self.reports(), 24)
        self.send(1, "d20.example")
        time.sleep(0.5)
        self.assertEqual(self.relay.count("to:*@d20.example"), 1)
        self.assertEqual(self.rows()["d20.example"]["state"], "suspended")
        hop.script["MAIL"] = None
        self.relay.ctl("dest", "resume", "route:mx")
        self.relay.retry()
        self.relay.wait_count(0, "to:*.example")

    def test_none(self):
        self.hop(1, MAIL=NEVER)
        self.start(deliver={"breaker": "none"})
        self.send(60)
        self.relay.wait_count(0, "to:*@d0.example")
        self.assertEqual(self.reports(), 60)


class ByHand(Shaping):
    def test_one(self):
        hop = self.hop(1)
        self.start()
        dry = self.relay.ctl("dest", "suspend", "D0.example", "-n")
        self.assertIn("would be suspended", dry)
        self.assertEqual(self.rows(), {})
        self.relay.ctl("dest", "suspend", "D0.example", "--why", "moving")
        first = self.send(2)[0]
        self.send(1, "d1.example")
        self.wait_got(hop, 1)
        row = self.rows()["d0.example"]
        self.assertEqual(row["state"], "suspended")
        self.assertIsNone(row["until"])
        self.assertRegex(row["why"], r"by an operator \(uid \d+\): moving")
        why = self.explain(first)
        self.assertEqual(why["block"], "suspended")
        self.assertIn("moving", why["reason"])
        self.assertIn("mail for its destination is suspended", self.relay.ctl(
            "message", "explain", first))
        self.relay.retry()
        status = json.loads(self.relay.ctl("status", "--json"))
        self.assertEqual(status["figures"]["suspended"], 1)
        # whatever ends
        self.relay.kill("queued")
        basics.wait_for("queued", lambda: self.relay.try_ctl(
            "status").returncode == 0)
        self.assertEqual(self.rows()["d0.example"]["state"], "suspended")
        self.relay.stop()
        self.relay.start()
        self.relay.retry()
        time.sleep(0.5)
        self.assertEqual(len(hop.messages), 1)
        self.assertEqual(self.show("d0.example")["queued"], 2)
        self.assertIn("suspended until it is resumed", self.relay.ctl(
            "dest", "show", "d0.example"))
        self.relay.ctl("dest", "resume", "d0.example")
        self.wait_got(hop, 3)
        self.assertRegex(self.relay.log(), r"dest_resumed .*d0\.example")

    def test_pattern_and_time(self):
        hop = self.hop(1)
        self.start()
        self.relay.ctl("dest", "suspend", "d*", "--for", "3s")
        for i in range(4):
            self.send(1, f"d{i}.example")
        rows = self.rows()
        self.assertEqual({rows[f"d{i}.example"]["state"] for i in range(4)},
                         {"suspended"})
        self.assertEqual(rows["d1.example"]["suspended_as"], "d*")
        self.assertLess(seconds_to(rows["d*"]["until"]), 4)
        p = self.relay.try_ctl("dest", "resume", "d1.example")
        self.assertEqual(p.returncode, 4)
        self.assertIn("by the pattern d*", p.stderr)
        self.assertEqual(len(hop.messages), 0)
        self.wait_got(hop, 4)
        self.assertEqual(self.relay.try_ctl("dest", "resume",
                                            "d*").returncode, 4)

    def test_route(self):
        hop = self.hop(1)
        rules = [{"to": f"d{i}.example", "via": "mx"} for i in (1, 2)]
        self.start(routes=rules)
        self.relay.ctl("dest", "suspend", "route:2")
        # it stays with its rule, wherever that stands
        self.configure(routes=[
            {"to": "d9.example", "via": "mx"},
            {"to": "d8.example", "via": "mx"}, *rules])
        self.relay.ctl("reload")
        self.assertEqual(list(self.rows()), ["route:4"])
        for i in (1, 2, 9):
            self.send(1, f"d{i}.example")
        self.wait_got(hop, 2)
        self.assertEqual(self.rows()["d2.example"]["state"], "suspended")
        self.assertEqual(self.rows()["d2.example"]["route"], "route:4")
        self.relay.ctl("dest", "resume", "route:4")
        self.wait_got(hop, 3)
        p = self.relay.try_ctl("dest", "suspend", "route:5")
        self.assertEqual(p.returncode, 4)
        self.assertIn("no such route", p.stderr)

    def test_of_nobody(self):
        self.start()
        for words in (("show", "x.example"), ("resume", "x.example"),
                      ("reset", "x.example"), ("suspend", "route:0"),
                      ("suspend", 2049 * "x")):
            p = self.relay.try_ctl("dest", *words)
            self.assertIn(p.returncode, (2, 4), words)
            self.assertNotEqual(p.stderr, "")

    def test_a_damaged_file(self):
        """Mail flows, and the operator is told."""
        hop = self.hop(1)
        self.start()
        self.relay.ctl("dest", "suspend", "d0.example")
        self.relay.stop()
        path = os.path.join(self.relay.folder, "spool", "shaping")
        with open(path, "r+b") as f:
            f.seek(30)
            f.write(b"\xff\xff")
        self.relay.start()
        self.send(1)
        self.wait_got(hop, 1)
        self.assertIn("suspensions can't be read", self.relay.log())
        self.assertTrue(os.path.exists(path + ".damaged"))


class Crowd:
    """Counts who is between MAIL and the end at a time."""

    def __init__(self):
        self.lock, self.now, self.most = threading.Lock(), 0, 0

    def script(self):
        return {"DATA": self.enter, "dot": self.leave}

    def enter(self, _line, _session):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def leave(self, _message, _session):
        time.sleep(0.05)
        with self.lock:
            self.now -= 1


class Limits(Shaping):
    def test_group_behind_the_same_hosts(self):
        crowd = Crowd()
        hop = self.hop(1, **crowd.script())
        self.start(deliver={"window": 3})
        for i in range(8):
            self.send(1, f"d{i}.example")
        self.wait_got(hop, 8)       # who is behind them is known from now on
        crowd.most = 0
        for i in range(8):
            self.send(5, f"d{i}.example")
        self.wait_got(hop, 48)
        self.assertLessEqual(crowd.most, 3)
        group = self.show("d0.example")["group"]
        self.assertEqual(group["name"], "mx1.example")
        self.assertEqual(group["window_max"], 3)
        self.assertIn("mx1.example, with ", self.relay.ctl(
            "dest", "show", "d0.example"))

    def test_provider(self):
        """Hosts of other names, and one rate for all of them."""
        hop = self.hop(2)
        self.start(providers=[{"name": "big", "mx": "*.mx.example",
                               "rate": "4/1s"}])
        for i in range(4):
            self.send(1, f"e{i}.example")
        self.wait_got(hop, 4)
        begin = time.monotonic()
        for i in range(4):
            self.send(2, f"e{i}.example")
        self.wait_got(hop, 12)
        self.assertGreater(time.monotonic() - begin, 1.5)
        self.send(1, "e0.example")
        self.assertEqual(self.show("e0.example")["group"]["name"], "big")
        self.assertIn(("group rate", "4/1s"), self.limits("e0.example"))

    def test_warm_up(self):
        hop = self.hop(1)
        self.start(routes=[{"to": "d0.example", "via": "mx",
                            "limits": {"warm_up": ["120/1m", "10/1s"]}}])
        begin = time.monotonic()
        self.send(5)
        self.send(5, "d1.example")
        self.wait_got(hop, 10)
        self.assertGreater(time.monotonic() - begin, 1.8)
        self.send(1)
        self.assertEqual(self.limits("d0.example")["rate", "120/1m"],
                         "routes[0].limits.warm_up, day 1")

    def test_mistakes(self):
        for keys, words in (
                ({"shaping": [{"action": "none"}]}, "reply is missing"),
                ({"shaping": [{"reply": "*", "action": "slow"}]},
                 "needs a `rate` or a `window`"),
                ({"shaping": [{"reply": "*", "action": "halt"}]},
                 "expected one of"),
                ({"providers": [{"name": "x"}]}, "providers[].mx is missing"),
                ({"routes": [{"via": "mx", "limits": {"warm_up": ["fast"]}}]},
                 "expected")):
            self.configure(**keys)
            p = self.relay.try_ctl("config", "check")
            self.assertNotEqual(p.returncode, 0, keys)
            self.assertIn(words, p.stdout + p.stderr)
            self.relay.configure(shaping=None, providers=None)


if __name__ == "__main__":
    network.enter(HOSTS)
    basics.main()
