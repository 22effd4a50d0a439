"""Clients by IPv6, in a network of our own with as many addresses as anybody
wants: T11, T15."""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, client, network, relay

LIMIT = 5


class Six(unittest.TestCase):
    def setUp(self):
        # whatever lies in there is an address of ours
        subprocess.run(["ip", "-6", "route", "add", "local", "2001:db8::/32",
                        "dev", "lo"], check=True)
        with open("/proc/sys/net/ipv6/ip_nonlocal_bind", "w",
                  encoding="ascii") as f:
            f.write("1")
        self.addCleanup(subprocess.run, [
            "ip", "-6", "route", "del", "local", "2001:db8::/32", "dev",
            "lo"], check=True)
        self.crowd = []
        self.addCleanup(lambda: [c.close() for c in self.crowd])

    def join(self, port, source):
        c = client.Client(port, host="::1", source=source)
        self.crowd.append(c)
        return c

    def test_a_network_is_one_client(self):
        """All addresses of a /64 have the places of one client together, and
        take none from the /64 beside it; mapped addresses in relay.networks
        are the IPv4 ones, and no others."""
        with relay.Relay(start=False, limits={
                "connections_per_client": LIMIT}, relay={
                "networks": ["127.0.0.1/32", "::ffff:10.0.0.0/104"],
                "domains": ["served.example"]}) as r:
            r.configure(listeners=[
                {"address": f"127.0.0.1:{r.port}"},
                {"address": f"[::]:{r.port}"}])
            r.start()
            for i in range(LIMIT):
                c = self.join(r.port, f"2001:db8:0:1::{i + 1:x}")
                self.assertEqual(c.greeting.code, 220)
            for i in range(50):
                c = self.join(r.port, f"2001:db8:0:1:{i * 999:x}::99")
                self.assertEqual((c.greeting.code, c.greeting.status),
                                 (421, "4.7.0"))
            for i in range(LIMIT):
                c = self.join(r.port, f"2001:db8:0:2::{i + 1:x}")
                self.assertEqual(c.greeting.code, 220)
                c.hello()
                c.expect("MAIL FROM:<a@sender.example>", 250)
                c.expect("RCPT TO:<x@elsewhere.example>", 550)
                c.expect("RCPT TO:<x@served.example>", 250)
            r.stop()


if __name__ == "__main__":
    network.enter([])
    basics.main()
