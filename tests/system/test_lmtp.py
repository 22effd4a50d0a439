"""LMTP to a store of mailboxes (RFC 2033): a scripted one, and Dovecot's own."""
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, dovecot, nexthop, relay

LMTP = "/usr/lib/dovecot/lmtp"


class Store(unittest.TestCase):
    def start(self, *via):
        self.relay = relay.Relay(start=False, queue={"first_retry": "1h",
                                                     "max_retry": "1h"})
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)
        self.relay.configure(
            routes=[{"to": "*", "via": list(via)}],
            reports={"postmaster": "postmaster@served.example"})
        self.relay.start()


class Scripted(Store):
    def hop(self, **script):
        hop = nexthop.NextHop(is_lmtp=True, **script)
        self.addCleanup(hop.close)
        self.start(f"lmtp://127.0.0.1:{hop.port}")
        return hop

    def test_each_recipient_has_its_reply(self):
        replies = {"good@s.example": b"250 2.1.5 kept\r\n",
                   "full@s.example": b"452 4.2.2 mailbox full\r\n",
                   "gone@s.example": b"550 5.1.1 closed\r\n"}
        hop = self.hop(dot=lambda message, _: replies.get(
            message.recipients[0]))
        self.relay.send(to=[*replies, "more@s.example"])
        basics.wait_for("all", lambda: len(hop.dotted) >= 4)
        self.relay.wait_log("bounced ")
        lines = self.relay.log().splitlines()
        for name, event in (("good", "delivered"), ("more", "delivered"),
                            ("full", "deferred"), ("gone", "bounced")):
            self.assertTrue(any(
                f" {event} " in line and f"to=<{name}@s.example>" in line
                for line in lines), name)
        self.assertEqual(hop.sessions[0].stages.count("LHLO"), 1)
        self.assertNotIn("EHLO", hop.sessions[0].stages)
        basics.wait_for("one waits", lambda: self.relay.count() == 1)
        self.assertRegex(self.relay.log(), "deferred .*mailbox full")

    def test_lost_between_two_replies(self):
        """The one that was answered is not sent to again."""
        hop = self.hop(dot=[b"250 kept\r\n", nexthop.RESET, None])
        self.relay.send(to=["a@s.example", "b@s.example"])
        self.relay.wait_log("deferred ")
        self.relay.ctl("queue", "retry", "all")
        self.relay.wait_empty()
        self.assertEqual([m.recipients for m in hop.dotted],
                         [["a@s.example"], ["b@s.example"],
                          ["b@s.example"]])

    def test_many_messages(self):
        hop = self.hop()
        with self.relay.connect() as c:
            c.hello()
            for i in range(30):
                c.mail("a@sender.example", [f"{n}{i}@s.example"
                                            for n in "xyz"], b"hi\r\n")
        basics.wait_for("all", lambda: len(hop.messages) == 90)
        self.relay.wait_empty()
        self.assertEqual(len({m.recipients[0] for m in hop.messages}), 90)

    def test_a_host_that_speaks_smtp(self):
        hop = nexthop.NextHop()
        self.addCleanup(hop.close)
        self.start(f"lmtp://127.0.0.1:{hop.port}")
        self.relay.send()
        self.relay.wait_log("deferred ")
        self.assertEqual(hop.messages, [])


class Socket(Store):
    """lmtp:///path: the parent connects, for nobody else sees a file."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="mtad-lmtp-")
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.path = f"{self.dir}/lmtp"

    def hop(self, **script):
        hop = nexthop.NextHop(is_lmtp=True, at=self.path, **script)
        self.addCleanup(hop.close)
        return hop

    def retry_until(self, text):
        def told():
            self.relay.retry()
            return text in self.relay.log()
        basics.wait_for(text, told, pause=0.2)

    def test_each_recipient_has_its_reply(self):
        hop = self.hop(dot=lambda message, _: {
            "gone@s.example": b"550 5.1.1 closed\r\n"}.get(
                message.recipients[0]))
        self.start(f"lmtp://{self.path}")
        self.relay.send(to=["a@s.example", "gone@s.example"])
        self.relay.wait_empty()
        self.assertEqual(hop.messages[0].recipients, ["a@s.example"])
        self.assertRegex(self.relay.log(), f"delivered .* host={self.path} ")
        # what a sender is told names no file of ours
        report = next(m for m in hop.dotted if m.sender == "")
        self.assertIn(b"5.1.1", report.content)
        self.assertNotIn(self.path.encode(), report.content)

    def test_many_on_few_connections(self):
        hop = self.hop()
        self.start(f"lmtp://{self.path}")
        with self.relay.connect() as c:
            c.hello()
            for i in range(200):
                c.mail("a@sender.example", [f"u{i}@s.example"], b"hi\r\n")
        self.relay.wait_empty()
        self.assertEqual(len(hop.messages), 200)
        self.assertLess(len(hop.sessions), 30)

    def test_away_and_back(self):
        """Nobody is told but the log; the same connection is made anew."""
        self.start(f"lmtp://{self.path}")
        self.relay.send(to="a@s.example")
        self.relay.wait_log("deferred ")
        self.assertIn("there is no such socket", self.relay.log())
        hop = self.hop()
        hop.close()
        self.retry_until("nobody serves this socket")
        os.unlink(self.path)
        hop = self.hop()
        self.relay.retry()
        self.relay.wait_empty()
        self.assertEqual(len(hop.messages), 1)

    def test_its_backlog_is_full(self):
        server = socket.socket(socket.AF_UNIX)
        self.addCleanup(server.close)
        server.bind(self.path)
        server.listen(0)
        filled = socket.socket(socket.AF_UNIX)
        self.addCleanup(filled.close)
        filled.connect(self.path)
        self.start(f"lmtp://{self.path}")
        self.relay.send(to="a@s.example")
        self.relay.wait_log("takes no more connections now")
        self.assertEqual(self.relay.count(), 1)

    def test_the_next_host(self):
        other = nexthop.NextHop(is_lmtp=True)
        self.addCleanup(other.close)
        self.start(f"lmtp://{self.path}", f"lmtp://127.0.0.1:{other.port}")
        self.relay.send(to="a@s.example")
        self.relay.wait_empty()
        self.assertEqual(len(other.messages), 1)

    def test_deliverd_dies_while_it_is_out(self):
        hop = self.hop(dot=[nexthop.HANG, None])
        self.start(f"lmtp://{self.path}")
        self.relay.send(to="a@s.example")
        basics.wait_for("it is out", lambda: hop.dotted)
        self.relay.kill("deliverd")
        self.relay.wait_log("deferred ")
        self.relay.retry()
        self.relay.wait_empty()
        self.assertEqual(len(hop.messages), 1)


@unittest.skipUnless(dovecot.is_there() and os.path.exists(
    LMTP if dovecot.is_installed() else dovecot.TREE + LMTP),
    "no dovecot-lmtpd, or no root")
class Dovecot(Store):
    CONFIG = """base_dir = {dir}/run
state_dir = {dir}/run
log_path = {dir}/log
protocols = lmtp
ssl = no
mail_location = maildir:{dir}/mail/%u
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 1
passdb {{
  driver = passwd-file
  args = {dir}/users
}}
userdb {{
  driver = passwd-file
  args = {dir}/users
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
  unix_listener {dir}/lmtp {{
    mode = 0600
    user = root
  }}
}}
service stats {{
  chroot =
}}
service anvil {{
  chroot =
}}
"""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="mtad-dovecot-")
        self.addCleanup(shutil.rmtree, self.dir, True)
        os.chmod(self.dir, 0o755)
        self.port = basics.free_ports(1)[0]
        user = pwd.getpwnam("nobody")
        os.mkdir(f"{self.dir}/mail")
        os.chown(f"{self.dir}/mail", user.pw_uid, user.pw_gid)
        with open(f"{self.dir}/users", "w", encoding="ascii") as f:
            for name in ("ann", "bob"):
                f.write(f"{name}@s.example:{{PLAIN}}x:{user.pw_uid}:"
                        f"{user.pw_gid}::{self.dir}/mail/{name}::\n")
        with open(f"{self.dir}/conf", "w", encoding="ascii") as f:
            f.write(self.CONFIG.format(dir=self.dir, port=self.port,
                                       uid=user.pw_uid, gid=user.pw_gid))
        self.server = subprocess.Popen(
            ["unshare", "-m", "-p", "-f", "--kill-child", "--mount-proc",
             "sh", "-c", dovecot.RUN.format(
                 tree=dovecot.TREE, folder=self.dir,
                 installed=int(dovecot.is_installed()))],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT)
        self.addCleanup(self.end)

    def end(self):
        self.server.kill()
        self.server.wait(basics.PATIENCE)

    def mail(self, name):
        folder = f"{self.dir}/mail/{name}@s.example/new"
        return [os.path.join(folder, n) for n in os.listdir(folder)] \
            if os.path.isdir(folder) else []

    def test_mailboxes(self):
        self.deliver(f"lmtp://127.0.0.1:{self.port}")

    def test_by_its_socket(self):
        self.deliver(f"lmtp://{self.dir}/lmtp")

    def deliver(self, via):
        self.start(via)

        def try_again():
            if "deferred " in self.relay.log():     # it was not up yet
                self.relay.retry()
            return self.mail("ann") and self.mail("bob") and \
                "bounced " in self.relay.log()
        self.relay.send(b"Subject: to all\r\n\r\n.a dot\r\n..two\r\n",
                        to=["ann@s.example", "nobody@s.example",
                                    "bob@s.example"])
        basics.wait_for("mail", try_again, pause=0.3)
        with open(self.mail("bob")[0], encoding="ascii", newline="") as f:
            text = f.read().replace("\r\n", "\n")
        self.assertTrue(text.endswith("Subject: to all\n\n.a dot\n..two\n"),
                        text)
        self.assertRegex(self.relay.log(),
                         r"bounced .*to=<nobody@s\.example>.*5\.1\.1")


if __name__ == "__main__":
    basics.main()
