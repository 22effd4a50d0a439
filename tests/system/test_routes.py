"""Which way mail goes, and what is done with it instead."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nameserver, nexthop, relay, submission


def via(hop):
    return f"smtp://127.0.0.1:{hop.port}"


def mail(*fields, body=b"body\r\n"):
    return b"".join(f.encode() + b"\r\n" for f in (*fields, "")) + body


class Matchers(unittest.TestCase):
    """Each next hop gets what its rule takes, and nothing else."""

    def setUp(self):
        self.hops = {name: nexthop.NextHop() for name in (
            "client", "user", "size", "header", "rest")}
        for hop in self.hops.values():
            self.addCleanup(hop.close)
        self.relay = relay.Relay(start=False, relay={
            "networks": ["127.0.0.0/29"]}, routes=[
                {"client": "127.0.0.4/30", "via": via(self.hops["client"])},
                {"user": "a*", "via": via(self.hops["user"])},
                {"size": ">1MiB", "via": via(self.hops["size"])},
                {"header": ["X-Route: bulk*", "List-Id: *<news.*>"],
                 "via": via(self.hops["header"])},
                {"to": "*", "via": via(self.hops["rest"])}])
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)
        self.submission = submission.Submission(self.relay)
        self.relay.start()

    def arrived(self):
        return {name: sorted(m.recipients[0] for m in hop.messages)
                for name, hop in self.hops.items() if hop.messages}

    def send_all(self):
        self.relay.send(to="client@served.example", source="127.0.0.5")
        self.submission.send("", to="user@served.example")
        self.relay.send(mail("Subject: x", body=b"y" * 1022 + b"\r\n") +
                        (b"z" * 1022 + b"\r\n") * 1024,
                        to="size@served.example")
        self.relay.send(mail("subject: x", "x-rOUTE:", "\tBulk", " 7"),
                        to="header@served.example")
        self.relay.send(mail("List-Id: The News <news.example.org>"),
                        to="header@served.example")
        self.relay.send(mail("X-Route: bul", "X-Route: bulk"),
                        to="rest@served.example")
        self.relay.send(mail("Subject: X-Route: bulk") + b"X-Route: bulk\r\n",
                        to="rest@served.example")

    def test_client_user_size_header(self):
        self.send_all()
        self.relay.wait_empty()
        arrived = self.arrived()
        self.assertEqual(sorted(arrived), sorted(self.hops))
        for name, recipients in arrived.items():
            self.assertEqual(set(recipients), {f"{name}@served.example"})
        self.assertEqual(len(arrived["header"]), 2)
        self.assertEqual(len(arrived["rest"]), 2)

    def test_after_a_restart(self):
        """The same facts are read from the spool."""
        for hop in self.hops.values():
            hop.script["MAIL"] = b"451 4.3.0 later\r\n"
        self.send_all()
        self.relay.wait_count(7, "state:deferred")
        self.relay.stop()
        for hop in self.hops.values():
            hop.script.pop("MAIL")
        self.relay.start()
        self.relay.retry()
        self.relay.wait_empty()
        for name, recipients in self.arrived().items():
            self.assertEqual(set(recipients), {f"{name}@served.example"})

    def test_after_a_reload(self):
        """What waits goes the way of today's rules."""
        for hop in self.hops.values():
            hop.script["MAIL"] = b"451 4.3.0 later\r\n"
        self.relay.send(mail("X-Route: bulk"), to="header@served.example")
        self.relay.wait_count(1, "state:deferred")
        rules = self.relay.config["routes"]
        self.relay.configure(routes=[
            {"header": "x-route: *", "via": via(self.hops["size"])}, *rules])
        self.hops["size"].script.pop("MAIL")
        self.relay.ctl("reload")
        self.relay.retry()
        self.relay.wait_empty()
        self.assertEqual(self.arrived(),
                         {"size": ["header@served.example"]})


class Ours(unittest.TestCase):
    """Nobody is spoken to."""

    def setUp(self):
        self.hop = nexthop.NextHop()
        self.addCleanup(self.hop.close)
        self.relay = relay.Relay(routes=[
            {"to": "trash.example", "via": "discard"},
            {"to": "gone.example", "via": "refuse",
             "text": "5.1.6 We have moved to new.example"},
            {"header": "X-Bad: *", "via": "refuse"},
            {"to": "odd.example", "via": "hold"},
            {"size": ">1MiB", "via": "hold"},
            {"to": "*", "via": via(self.hop)}])
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)

    def arrived(self):
        return sorted(r for m in self.hop.messages for r in m.recipients)

    def history(self, queue_id):
        return self.relay.ctl("message", "history", queue_id)

    def test_discard(self):
        """I-01: the log and the history say by which rule."""
        queue_id = self.relay.send(to=["a@trash.example", "b@x.example"])
        self.relay.wait_empty()
        self.assertEqual(self.arrived(), ["b@x.example"])
        self.assertIn("discarded by route 1 (to: trash.example)",
                      self.history(queue_id))
        line, = [line for line in self.relay.log().splitlines()
                 if " discarded " in line]
        self.assertIn("to=<a@trash.example>", line)
        self.assertIn("route 1", line)

    def test_refused_where_it_can_be(self):
        with self.relay.connect() as c:
            c.hello()
            c.expect("MAIL FROM:<s@sender.example>", 250)
            reply = c.command("RCPT TO:<a@gone.example>")
            self.assertEqual((reply.code, reply.text.strip()), (
                550, "5.1.6 We have moved to new.example"))
            c.expect("RCPT TO:<b@x.example>", 250)
            # only the message will tell
            self.assertEqual(c.content(mail("X-Bad: 1")).code, 250)
        basics.wait_for("a report", lambda: self.hop.messages)
        self.relay.wait_empty()
        report, = self.hop.messages
        self.assertEqual(report.recipients, ["s@sender.example"])
        for words in (b"Final-Recipient: rfc822; b@x.example",
                      b"Action: failed", b"Status: 5.7.1"):
            self.assertIn(words, report.content)
        self.assertNotIn(b"Remote-MTA", report.content)

    def test_refused_by_a_reload(self):
        self.hop.script["MAIL"] = b"451 4.3.0 later\r\n"
        self.relay.send(to="a@later.example")
        self.relay.wait_count(1, "state:deferred")
        self.relay.configure(routes=[
            {"to": "later.example", "via": "refuse", "text": "Too late"},
            *self.relay.config["routes"]])
        self.hop.script.pop("MAIL")
        self.relay.ctl("reload")
        self.relay.retry()
        basics.wait_for("a report", lambda: self.hop.messages)
        self.assertIn(b"Too late", self.hop.messages[0].content)
        self.relay.wait_empty()

    def test_hold_and_release(self):
        """Its other recipients wait, too; what was released goes by the rule
        behind, also after a kill."""
        queue_id = self.relay.send(to=["a@odd.example", "b@x.example"])
        self.relay.send(mail("Subject: x") + (b"z" * 1022 + b"\r\n") * 1100,
                        to="c@x.example")
        self.relay.wait_count(2, "state:held")
        self.assertEqual(self.arrived(), [])
        self.assertIn("held by route 4 (to: odd.example)",
                      self.history(queue_id))
        self.relay.retry()
        self.hop.script["MAIL"] = b"451 4.3.0 later\r\n"
        self.assertEqual(self.relay.count("state:held"), 2)
        self.relay.ctl("queue", "release", "state:held")
        self.relay.wait_count(2, "state:deferred")
        self.relay.kill("queued")
        basics.wait_for("queued is back", lambda: self.relay.pids("queued"))
        self.hop.script.pop("MAIL")
        self.relay.retry()
        self.relay.wait_empty()
        self.assertEqual(self.arrived(), [
            "a@odd.example", "b@x.example", "c@x.example"])


class Ways(unittest.TestCase):
    """As whom and from where the next hop is met."""

    def setUp(self):
        self.hops = [nexthop.NextHop() for _ in range(3)]
        for hop in self.hops:
            self.addCleanup(hop.close)

    def start(self, **options):
        self.relay = relay.Relay(**options)
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)

    def test_helo_and_source(self):
        sources = ["127.0.0.5", "127.0.0.6"]
        self.start(routes=[
            {"to": "a.example", "via": via(self.hops[0]), "source": sources,
             "helo": "a.sender.example"},
            {"to": "b.example", "via": via(self.hops[0])}],
            deliver={"source": "127.0.0.9"})
        self.relay.send(to=["r@a.example", "r@b.example"])
        self.relay.wait_empty()
        told = {m.recipients[0]: (m.session.lines[0],
                                  m.session.address) for m in
                self.hops[0].messages}
        self.assertEqual(told["r@b.example"][1], "127.0.0.9")
        self.assertEqual(told["r@a.example"][0], "EHLO a.sender.example")
        self.assertIn(told["r@a.example"][1], sources)
        self.assertNotEqual(told["r@b.example"][0], "EHLO a.sender.example")

    def test_the_pool_takes_turns(self):
        self.start(routes=[
            {"to": "*", "via": via(self.hops[0]),
             "source": ["127.0.0.5", "127.0.0.6"]}],
            deliver={"messages_per_connection": 1})
        for i in range(40):
            self.relay.send(to=f"r{i}@a.example")
        self.relay.wait_empty()
        count = [s.address for s in self.hops[0].sessions]
        self.assertEqual(set(count), {"127.0.0.5", "127.0.0.6"})

    def test_no_address_of_ours(self):
        self.start(routes=[{"to": "*", "via": via(self.hops[0]),
                            "source": "203.0.113.7"}])
        self.relay.send(to="r@a.example")
        self.relay.wait_log("Cannot assign requested address")
        self.assertEqual(self.relay.count("state:deferred"), 1)

    def test_families(self):
        """Both hops have one name; what is first, and what is not met."""
        six = nexthop.NextHop(host="::1", port=self.hops[0].port)
        self.addCleanup(six.close)
        names = nameserver.NameServer({
            ("two.example", "A"): ["127.0.0.1"],
            ("two.example", "AAAA"): ["::1"]})
        self.addCleanup(names.close)
        to = f"smtp://two.example:{six.port}"
        self.start(dns={"servers": [f"127.0.0.1:{names.port}"]},
                   deliver={"address_family": "ipv4-first",
                            "idle_timeout": "0s"},
                   routes=[
            {"to": "a.example", "via": to},
            {"to": "b.example", "via": to, "address_family": "ipv6-first"},
            {"to": "c.example", "via": to, "address_family": "ipv6"},
            {"to": "d.example", "via": to, "source": ["127.0.0.5"]},
            {"to": "e.example", "via": to, "source": ["::1"]}])
        every = [f"r@{d}.example" for d in "abcde"]
        self.relay.send(to=every)
        self.relay.wait_empty()

        def arrived(hop):
            return sorted(m.recipients[0][2] for m in hop.messages)
        self.assertEqual((arrived(self.hops[0]), arrived(six)),
                         (["a", "d"], ["b", "c", "e"]))
        six.close()
        queue_id = self.relay.send(to=every)
        basics.wait_for("three", lambda: len(self.hops[0].messages) == 5)
        for domain in ("c.example", "e.example"):
            self.relay.wait_log(f" deferred id={queue_id} to=<r@{domain}>")
        self.assertEqual(arrived(self.hops[0]), ["a", "a", "b", "d", "d"])

    def test_two_share_the_third_waits(self):
        self.start(routes=[
            {"to": "*", "via": [via(h) for h in self.hops], "share": 2}],
            deliver={"messages_per_connection": 1})
        for i in range(40):
            self.relay.send(to=f"r{i}@a.example")
        self.relay.wait_empty()
        count = [len(h.messages) for h in self.hops]
        self.assertEqual((sum(count), count[2]), (40, 0))
        self.assertGreater(min(count[:2]), 5, count)
        self.hops[0].close()
        self.hops[1].close()
        self.relay.send(to="r@a.example")
        self.relay.wait_empty()
        self.assertEqual(len(self.hops[2].messages), 1)


if __name__ == "__main__":
    basics.main()
