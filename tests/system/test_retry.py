"""When a next hop is not ready, refuses, hangs or drops: what is tried again,
when, where, and what is never repeated."""
import json
import os
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, relay
from support.nexthop import CLOSE, HANG, RESET

SHORT = {"connect_timeout": "500ms", "reply_timeout": "500ms",
         "data_timeout": "500ms", "final_timeout": "500ms",
         "idle_timeout": "0s"}         # a fresh connection for each message
QUICK = {"first_retry": "100ms", "max_retry": "100ms"}
STAGES = ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "dot")
GARBAGE = (b"", b"2\r\n", b"25\r\n", b"abc\r\n", b"\r\n", b"\0\xff\xfe\r\n",
           b"250-a\r\n550 b\r\n", b"250 " + b"x" * (1 << 20) + b"\r\n",
           b"250-x\r\n" * 100000 + b"250 y\r\n", b"999 what\r\n",
           b"100 what\r\n", b"250~x\r\n")


class Faults(unittest.TestCase):
    def setUp(self):
        self.hop = nexthop.NextHop()
        self.addCleanup(self.hop.close)
        self.relay = relay.Relay(self.hop.port, deliver=SHORT, queue=QUICK)
        self.addCleanup(self.relay.remove)

    def tearDown(self):
        if self._outcome.success:
            self.relay.stop()
        else:
            print(self.relay.log_tail())

    def one_fault(self, stage, fault):
        """That fault once; then all is well: the message arrives once."""
        self.hop.script = {stage: [fault, None]}
        seen = len(self.hop.messages)
        queue_id = self.relay.send()
        basics.wait_for("it arrives", lambda: len(self.hop.messages) > seen)
        basics.wait_for("it is done", lambda: f"removed id={queue_id}" in
                        self.relay.log() or self.relay.count() == 0)
        self.assertEqual(len(self.hop.messages), seen + 1, (stage, fault[:20]))

    def test_temporary_refusals(self):
        """C5321-01, C5321-32, T32: 451 and 421 at each stage."""
        for stage in STAGES:
            for code in (b"451 4.3.0", b"421 4.3.2", b"478"):
                with self.subTest(stage=stage, code=code):
                    self.one_fault(stage, code + b" not now\r\n")

    def test_connection_faults(self):
        """T32: hangs, closes and resets at each stage."""
        for stage in STAGES:
            for fault in (HANG, CLOSE, RESET):
                with self.subTest(stage=stage, fault=fault):
                    self.one_fault(stage, fault)
        self.relay.wait_log("doubt")        # the final reply was not seen

    def test_hostile_replies(self):
        """NH-01 to NH-06, T29: deferred, in bounded memory and time."""
        before = self.relay.memory_kib()
        for stage in STAGES:
            for fault in GARBAGE:
                with self.subTest(stage=stage, fault=fault[:20]):
                    self.one_fault(stage, fault or CLOSE)
        if not basics.IS_SANITIZED:     # which keeps what was freed
            self.assertLess(self.relay.memory_kib() - before, 16384)

    def test_wrong_replies(self):
        """C5321-11, NH-05: no content without 354; 354 where none belongs;
        replies that nobody asked for."""
        self.one_fault("DATA", b"250 ok\r\n")
        self.one_fault("RCPT", b"354 go\r\n")
        self.one_fault("MAIL", b"354 go\r\n")
        self.one_fault("greeting", b"220 a\r\n220 b\r\n250 c\r\n")
        for message in self.hop.dotted:
            self.assertTrue(message.recipients)

    def test_slow_but_steady(self):
        """C5321-04: timeouts are per command, not per transaction."""
        def slowly(_, __):
            time.sleep(0.3)

        self.hop.script = {stage: slowly for stage in STAGES}
        self.relay.send(to=[f"r{i}@served.example" for i in range(3)])
        self.relay.wait_empty()
        self.assertEqual(len(self.hop.messages), 1)
        self.assertEqual(len(self.hop.sessions), 1)

    def test_lost_after_250(self):
        """C5321-38: a connection lost after the final 250 changes nothing."""
        def drop(_, session):
            session.peer.sendall(b"250 2.0.0 taken\r\n")
            with session.hop.lock:
                session.hop.messages.append(session.hop.dotted[-1])
            return RESET

        self.hop.script = {"dot": drop}
        self.relay.send()
        self.relay.wait_empty()
        time.sleep(0.6)
        self.assertEqual(len(self.hop.dotted), 1)

    def test_quit_after_errors(self):
        """C5321-12: QUIT before closing, also after a refusal."""
        self.hop.script = {"MAIL": [b"451 4.3.0 no\r\n", None]}
        self.relay.send()
        self.relay.wait_empty()
        basics.wait_for("all end", lambda: all(
            s.is_over for s in self.hop.sessions))
        for session in self.hop.sessions:
            self.assertEqual(session.stages[-1], "QUIT")


class Schedule(unittest.TestCase):
    def test_back_off(self):
        """C5321-02: not at once, then later and later, up to max_retry."""
        with nexthop.NextHop(RCPT=b"450 4.2.0 no\r\n") as hop, relay.Relay(
                hop.port, queue={"first_retry": "500ms", "max_retry": "2s"},
                deliver={"idle_timeout": "0s"}) as r:
            r.send()
            tried = basics.wait_for("5 attempts", lambda: [
                at for s in hop.sessions for at, line in s.commands
                if line.startswith(b"RCPT")][4:] and [
                at for s in hop.sessions for at, line in s.commands
                if line.startswith(b"RCPT")], 30)
            gaps = [b - a for a, b in zip(tried, tried[1:])]
            self.assertGreater(gaps[0], 0.3)
            self.assertGreater(gaps[2], gaps[0])
            self.assertLess(max(gaps), 4)
            self.assertEqual(r.count("state:deferred"), 1)
            self.assertGreaterEqual(r.list()[0]["tries"], 4)
            r.ctl("queue", "delete", "all", "--yes")

    def test_down_as_a_whole(self):
        """A dead destination backs off as a whole, others do not notice
        (T33); retry lifts it."""
        dead = basics.free_ports(1)[0]
        with nexthop.NextHop() as hop, relay.Relay(
                hop.port, queue={"first_retry": "1h", "max_retry": "1h"},
                routes=[{"to": "dead.example",
                         "via": f"smtp://127.0.0.1:{dead}"},
                        {"to": "*", "via": f"smtp://127.0.0.1:{hop.port}"}]
                ) as r:
            for i in range(50):
                r.send(to=f"a{i}@dead.example")
            for i in range(50):
                r.send(to=f"a{i}@live.example")
            basics.wait_for("the living get theirs",
                            lambda: len(hop.messages) == 50)
            r.wait_count(50, "state:deferred")
            with nexthop.NextHop(dead) as late:
                r.retry("domain:dead.example")
                basics.wait_for("all come", lambda: len(late.messages) == 50)
                r.wait_empty()

    def test_next_host_of_the_list(self):
        """NH-07, C5321-21: a host that refuses, hangs or greets with 421, 554
        or nonsense is left for the next one, in the same attempt."""
        for fault in (None, b"421 4.3.2 busy\r\n", b"554 5.3.2 no\r\n",
                      b"\0\0\0\r\n", HANG, CLOSE):
            first = nexthop.NextHop(greeting=fault)
            if fault is None:
                first.close()
            with self.subTest(fault=fault), first, nexthop.NextHop() as \
                    second, relay.Relay(deliver=SHORT, queue={
                        "first_retry": "1h", "max_retry": "1h"}, routes=[
                        {"to": "*", "via": [f"smtp://127.0.0.1:{first.port}",
                                            f"smtp://127.0.0.1:{second.port}"
                                            ]}]) as r:
                r.send()
                r.wait_empty()
                self.assertEqual(len(second.messages), 1)

    def test_all_hosts_unwilling(self):
        """A greeting of 554 means "not ready", never "your recipient is
        wrong": deferred, not returned."""
        with nexthop.NextHop(greeting=b"554 5.3.2 go away\r\n") as hop, \
                relay.Relay(hop.port, queue=QUICK) as r:
            r.send()
            r.wait_count(1, "state:deferred")
            self.assertNotIn("bounced", r.log())
            hop.script = {}
            r.wait_empty()

    def test_slow_hop_and_client(self):
        """S5321-72: the reply to a message does not wait for its delivery."""
        with nexthop.NextHop(dot=HANG) as hop, relay.Relay(hop.port) as r:
            r.send()
            start = time.monotonic()
            for _ in range(20):
                r.send()
            self.assertLess(time.monotonic() - start, 2)
            hop.stopped.set()
            hop.script = {}
            r.ctl("queue", "delete", "all", "--yes")


class Window(unittest.TestCase):
    def run_with(self, is_refusing):
        """How many of 150 are out at a next hop of one connection, which takes
        twenty a second, when a third of them is gone."""
        hop = nexthop.NextHop(dot=lambda *_: time.sleep(0.05))
        self.addCleanup(hop.close)
        # without a refusal there is none but this connection
        many = {} if is_refusing else {"connections": 1}
        with relay.Relay(hop.port, queue=QUICK, deliver=many) as r:
            r.send()
            basics.wait_for("it connects", lambda: hop.sessions)
            if is_refusing:
                hop.socket.shutdown(socket.SHUT_RDWR)
                hop.socket.close()
            with r.connect() as c:
                c.hello()
                last = [c.mail("a@sender.example", ["b@served.example"],
                               b"x\r\n") for _ in range(150)][-1]
            basics.wait_for("a third is gone", lambda: r.count() <= 100, 60)
            # all are due; who is not in the line for this destination is out
            left, why = r.count(), json.loads(
                r.ctl("message", "explain", last, "--json"))
            out = left - why["recipients"][0]["ahead"]
            self.assertGreater(left, 60)
            self.assertEqual(len(hop.sessions), 1)
            r.ctl("queue", "delete", "all", "--yes")
            r.wait_empty()
        return out

    def test_a_refused_connection_makes_it_smaller(self):
        """deliverd tells queued of it (pushback) though its other connection
        serves; the line then waits in queued, where others can overtake."""
        undisturbed = self.run_with(False)
        refused = self.run_with(True)
        self.assertGreaterEqual(undisturbed, 28)
        self.assertLessEqual(refused, 20)


class Rate(unittest.TestCase):
    EACH = 2                    # seconds: less than one message in one

    def test_below_one_a_second(self):
        """One goes at once, each other one not before its turn, and what goes
        elsewhere meanwhile; an operator is told what it waits for."""
        with nexthop.NextHop() as slow, nexthop.NextHop() as other, \
                relay.Relay(routes=[
                    {"to": "slow.example", "via": f"smtp://127.0.0.1:"
                     f"{slow.port}", "limits": {"rate": f"1/{self.EACH}s"}},
                    {"to": "*", "via": f"smtp://127.0.0.1:{other.port}"}]) \
                as r:
            begin = time.monotonic()
            ids = [r.send(to=f"u{i}@slow.example") for i in range(3)]
            r.send(to="u@other.example")
            basics.wait_for("the first", lambda: slow.messages, 60)
            if len(slow.messages) < 3:
                self.assertIn("rate", r.ctl("message", "explain", ids[2]))
            basics.wait_for("all", lambda: len(slow.messages) == 3, 60)
            r.wait_empty()
            at = [m.at - begin for m in slow.messages]
            # a late one may come close to the next, but none before its turn
            for i, seconds in enumerate(at):
                self.assertGreater(seconds, i * self.EACH)
            self.assertEqual(len(other.messages), 1)
            self.assertLess(other.messages[0].at - begin, at[2])


if __name__ == "__main__":
    basics.main()
