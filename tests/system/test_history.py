"""The history of messages (I-10): what mtactl tells is what happened, while a
message lives, after it is gone, and after every process was killed."""
import json
import os
import shutil
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, history, nexthop, relay

DEFER = b"451 4.7.1 come back later\r\n"
REFUSE = b"550 5.1.1 no such user\r\n"


def events(r, id_, *kinds):
    lines = [json.loads(line) for line in r.ctl(
        "message", "history", id_, "--json").splitlines()]
    assert all(e["v"] == 1 and e["id"] == lines[0]["id"] for e in lines)
    return [e for e in lines if not kinds or e["event"] in kinds]


def explain(r, id_):
    return json.loads(r.ctl("message", "explain", id_, "--json"))


class History(unittest.TestCase):
    def test_delivered(self):
        with nexthop.NextHop() as hop, relay.Relay(hop.port) as r:
            id_ = r.send(sender="a@a.example",
                         to=["b@b.example", "c@b.example"])
            r.wait_empty()
            accepted, attempt, *ends = events(r, id_)
            self.assertEqual(accepted["event"], "accepted")
            self.assertEqual(accepted["from"], "a@a.example")
            self.assertEqual(accepted["client"], "127.0.0.1")
            self.assertTrue(accepted["helo"])
            self.assertGreater(accepted["size"], 0)
            self.assertEqual(accepted["recipients"],
                             ["b@b.example", "c@b.example"])
            self.assertEqual(attempt["event"], "attempt")
            self.assertEqual(attempt["address"], f"127.0.0.1:{hop.port}")
            self.assertEqual(attempt["stage"], "final")
            self.assertEqual(attempt["code"], 250)
            self.assertEqual([(e["event"], e["to"], e["code"], e["text"],
                               e["tries"]) for e in ends],
                             [("delivered", to, 250, "2.0.0 taken", 1)
                              for to in ("b@b.example", "c@b.example")])
            for word in ("accepted", "delivered", "b@b.example",
                         "c@b.example", "250 2.0.0 taken"):
                self.assertIn(word, r.ctl("message", "history", id_))
            gone = explain(r, id_)
            self.assertFalse(gone["is_queued"])
            self.assertEqual([(x["address"], x["fate"])
                              for x in gone["recipients"]],
                             [("b@b.example", "delivered"),
                              ("c@b.example", "delivered")])
            self.assertIn("b@b.example was delivered",
                          r.ctl("message", "explain", id_))
            r.stop()
            # the same after a start, and by the description of the format
            r.start()
            self.assertEqual(events(r, id_), [accepted, attempt, *ends])
            told = history.read(os.path.join(r.folder, "spool"), sums=True)
            self.assertEqual([e.kind for e in told],
                             ["accepted", "attempt"] + 2 * ["delivered"])

    def test_deferred_then_refused(self):
        """And the report, which has a history of its own."""
        replies = {"RCPT": DEFER}
        with nexthop.NextHop(RCPT=lambda *_: replies["RCPT"]) as hop, \
                relay.Relay(hop.port) as r:
            id_ = r.send(sender="a@a.example", to="b@b.example")
            basics.wait_for("two tries", lambda: len(
                events(r, id_, "deferred")) >= 2)
            deferred = events(r, id_, "deferred")
            self.assertEqual(deferred[0]["text"], "4.7.1 come back later")
            self.assertEqual([e["tries"] for e in deferred[:2]], [1, 2])
            self.assertIsNotNone(deferred[0]["next"])
            self.assertEqual(events(r, id_, "attempt")[0]["stage"], "rcpt")
            now = explain(r, id_)
            self.assertTrue(now["is_queued"])
            why, = now["recipients"]
            self.assertEqual(why["address"], "b@b.example")
            self.assertIn(why["block"], ("retry", "delivering", "turn"))
            self.assertEqual(why["text"], "4.7.1 come back later")
            text = r.ctl("message", "explain", id_)
            self.assertIn("451 4.7.1 come back later", text)
            self.assertIn("it is given up", text)
            replies["RCPT"] = REFUSE
            basics.wait_for("refused", lambda: events(r, id_, "failed"))
            failed, = events(r, id_, "failed")
            self.assertEqual((failed["code"], failed["to"]),
                             (550, "b@b.example"))
            # what came of what, in this order
            self.assertEqual([e["event"] for e in events(r, id_)[-3:]],
                             ["attempt", "failed", "reported"])
            reported, = events(r, id_, "reported")
            self.assertTrue(events(r, reported["report"],
                                   "accepted")[0]["is_report"])
            self.assertEqual(explain(r, id_)["reports"],
                             [reported["report"]])
            self.assertIn("was refused", r.ctl("message", "explain", id_))

    def test_operator(self):
        dead = basics.free_ports(1)[0]
        with relay.Relay(dead, queue={"first_retry": "1h",
                                      "max_retry": "1h"}) as r:
            id_ = r.send(to="b@b.example")
            r.wait_count(1, "state:deferred")
            why, = explain(r, id_)["recipients"]
            self.assertEqual(why["block"], "destination")
            self.assertIsNotNone(why["next"])
            self.assertIn("its destination failed as a whole",
                          r.ctl("message", "explain", id_))
            r.ctl("queue", "hold", "id:" + id_)
            self.assertEqual(explain(r, id_)["recipients"][0]["block"],
                             "held")
            self.assertIn("queue release", r.ctl("message", "explain", id_))
            r.ctl("queue", "release", "id:" + id_)
            r.retry("id:" + id_)
            r.ctl("queue", "delete", "id:" + id_, "--yes")
            r.wait_empty()
            told = events(r, id_, "held", "released", "retried", "deleted")
            self.assertEqual([e["event"] for e in told if e["event"] !=
                              "retried"], ["held", "released", "deleted"])
            self.assertEqual({e["by"] for e in told},
                             {f"uid {os.getuid()}"})
            self.assertEqual(len(events(r, id_, "discarded")), 1)

    def test_names(self):
        """Ids cut short, wrong, unknown."""
        with nexthop.NextHop() as hop, relay.Relay(hop.port) as r:
            one, two = r.send(), r.send()
            r.wait_empty()
            p = r.try_ctl("message", "history", one[:4])
            self.assertEqual(p.returncode, 2, p)
            self.assertIn("several messages", p.stderr)
            for verb in ("history", "explain"):
                self.assertEqual(
                    r.try_ctl("message", verb, "!").returncode, 2)
                p = r.try_ctl("message", verb, "0" * 12 + "7")
                self.assertEqual(p.returncode, 1, p)
            self.assertNotEqual(one, two)
            r.stop()
            r.start()
            third = r.send()
            r.wait_empty()
            # each start has ids of its own
            short = os.path.commonprefix([one, third])
            short = third[:len(short) + 1]
            self.assertEqual(events(r, short)[0]["id"], third)
            self.assertFalse(explain(r, short)["is_queued"])

    def test_off(self):
        """queue.history: 0, at the start and by a reload."""
        with nexthop.NextHop() as hop, \
                relay.Relay(hop.port, queue={"history": 0}) as r:
            id_ = r.send()
            r.wait_empty()
            p = r.try_ctl("message", "history", id_)
            self.assertEqual(p.returncode, 4, p)
            self.assertIn("queue.history", p.stderr)
            r.configure(queue={"history": "7d"})
            r.ctl("reload")
            id_ = r.send()
            r.wait_empty()
            self.assertEqual(len(events(r, id_, "delivered")), 1)
            r.configure(queue={"history": 0})
            r.ctl("reload")
            r.send()
            r.wait_empty()

    def test_many_recipients(self):
        to = [f"r{i}@d{i % 7}.example" for i in range(1000)]
        with nexthop.NextHop() as hop, relay.Relay(hop.port) as r:
            id_ = r.send(to=to)
            r.wait_empty()
            told = events(r, id_)
            named = sum((e["recipients"] for e in told
                         if "recipients" in e), [])
            self.assertEqual(named, to)
            self.assertEqual(told[0]["recipient_count"], 1000)
            self.assertEqual(sorted(e["to"] for e in told
                                    if e["event"] == "delivered"),
                             sorted(to))
            gone = explain(r, id_)["recipients"]
            self.assertEqual(len(gone), 1000)

    def test_death_of_all(self):
        """kill -9 of every process: what was synced is told once."""
        with nexthop.NextHop() as hop, relay.Relay(hop.port) as r:
            for wait in (0, 0.3, 1.3):
                ids = [r.send(to="b@b.example") for _ in range(20)]
                time.sleep(wait)
                r.kill_all()
                r.kills = 1000
                r.start()
                r.wait_empty()
                for id_ in ids:
                    self.assertEqual(len(events(r, id_, "accepted")), 1)
                    self.assertEqual(len(events(r, id_, "delivered")), 1)
            r.stop()
            history.check(os.path.join(r.folder, "spool"))

    def hang_and_die(self, **queue):
        """An attempt whose answer never comes, and the death of all."""
        dots = [nexthop.HANG]
        with nexthop.NextHop(dot=lambda *_: dots[0]) as hop, \
                relay.Relay(hop.port, queue=queue) as r:
            id_ = r.send(to="b@b.example")
            basics.wait_for("the dot", lambda: len(hop.dotted) == 1)
            r.kill_all()
            r.kills = 1000
            dots[0] = b"250 2.0.0 taken\r\n"
            r.start()
            yield r, hop, id_

    def test_in_doubt_is_retried(self):
        for r, hop, id_ in self.hang_and_die():
            r.wait_empty()
            told = [e["event"] for e in events(r, id_)]
            self.assertEqual(told, ["accepted", "in_doubt", "attempt",
                                    "delivered"])
            self.assertEqual(len(hop.dotted), 2)

    def test_in_doubt_is_held(self):
        for r, hop, id_ in self.hang_and_die(in_doubt="hold"):
            r.wait_count(1, "state:held")
            self.assertEqual([e["event"] for e in events(r, id_)],
                             ["accepted", "in_doubt", "held"])
            why, = explain(r, id_)["recipients"]
            self.assertEqual((why["block"], why["is_in_doubt"]),
                             ("held", True))
            self.assertIn("it may have been delivered",
                          r.ctl("message", "explain", id_))
            r.ctl("queue", "release", "id:" + id_)
            r.wait_empty()
            self.assertEqual(len(hop.dotted), 2)

    def test_disk_of_the_history_fails(self):
        """Mail goes on without it; an operator is told."""
        with nexthop.NextHop() as hop, \
                relay.Relay(hop.port, start=False) as r:
            spool = os.path.join(r.folder, "spool")
            os.makedirs(spool, 0o700, exist_ok=True)
            if basics.is_root():
                shutil.chown(spool, "_mtad-queue", "_mtad-queue")
            with open(os.path.join(spool, "history"), "w",
                      encoding="ascii"):
                pass
            r.start()
            r.send()
            r.wait_empty()
            self.assertIn("history_lost", r.log())
            self.assertEqual(
                r.try_ctl("message", "history", "0" * 12 + "1").returncode,
                4)


if __name__ == "__main__":
    basics.main()
