"""Which way mail goes, and what is done with it instead."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, relay, submission


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


if __name__ == "__main__":
    basics.main()
