"""Tokens at next hops (XOAUTH2, OAUTHBEARER): got from a scripted endpoint, used
again, renewed when they end or are refused; mail waits while there is none
(AUTH-22, AUTH-23, T51)."""
import base64
import json
import os
import re
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, dovecot, memory, nexthop, postfix, relay
from support.certificate import Certificate
from support.tokens import TokenServer, counted, grant

USER = "relay@example.org"
CLIENT, SECRET, REFRESH = "mtad client", "s&cret of=ours", "1//refresh-Zk9xQw7"
OFFER = b"250-hop.example\r\n250-PIPELINING\r\n250 AUTH %s\r\n"
FAULT = b"334 " + base64.b64encode(
    b'{"status":"400","schemes":"Bearer","scope":"https://mail.example/"}'
) + b"\r\n"


class Hop(nexthop.NextHop):
    """Knows users by tokens: `good` has those it takes; `told` all it saw."""

    def __init__(self, mechanisms, good=None, refusal=FAULT, **script):
        self.good, self.told, self.refusal = good, [], refusal
        super().__init__(EHLO=OFFER % mechanisms.encode(), AUTH=self.auth,
                         **script)

    def auth(self, command, session):
        _, mechanism, *initial = command.split(" ")
        if not initial:
            session.peer.sendall(b"334 \r\n")
            initial = [session.until(b"\n").decode().strip()]
        said = base64.b64decode(initial[0]).decode()
        pattern = {"XOAUTH2": "user=([^\1]*)\1auth=Bearer ([^\1]*)\1\1",
                   "OAUTHBEARER":
                   "n,a=([^\1]*),\1auth=Bearer ([^\1]*)\1\1"}[mechanism]
        user, token = re.fullmatch(pattern, said).groups()
        self.told.append((mechanism, user, token))
        if self.good is None or token in self.good:
            return b"235 2.7.0 ok\r\n"
        if self.refusal == FAULT:
            session.peer.sendall(FAULT)
            answer = session.until(b"\n")
            assert answer == {"XOAUTH2": b"\r\n",
                              "OAUTHBEARER": b"AQ==\r\n"}[mechanism], answer
            return b"535 5.7.8 Username and Password not accepted\r\n"
        return self.refusal


class Tokens(unittest.TestCase):
    def setUp(self):
        self.relay = relay.Relay(start=False, queue={"first_retry": "1h",
                                                     "max_retry": "1h"})
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)
        self.certificate = Certificate(self.relay.folder, "hop",
                                       names=("localhost",))
        self.refresh = self.write("refresh", REFRESH)
        self.secret = self.write("client", SECRET)

    def write(self, name, text):
        path = os.path.join(self.relay.folder, name)
        with open(path, "w", encoding="utf-8",
                  opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(text + "\n")
        return path

    def endpoint(self, script, port=0, certificate=None):
        server = TokenServer(certificate or self.certificate, script, port)
        self.addCleanup(server.close)
        return server

    def hop(self, mechanisms="PLAIN XOAUTH2", **more):
        hop = Hop(mechanisms, tls=self.certificate.server(),
                  is_implicit=True, **more)
        self.addCleanup(hop.close)
        return hop

    def configure(self, hop, url, **auth):
        auth = {"user": USER, "token_url": url, "client_id": CLIENT,
                "client_secret_file": self.secret,
                "refresh_token_file": self.refresh,
                "scope": "https://mail.example/ offline", **auth}
        self.relay.configure(
            routes=[{"to": "*", "via": f"smtps://localhost:{hop.port}",
                     "auth": {k: v for k, v in auth.items() if v}}],
            tls={"authorities": self.certificate.chain},
            deliver={"reply_timeout": "5s", "address_family": "ipv4",
                     "idle_timeout": "0s"})

    def begin(self, hop, endpoint, **auth):
        self.configure(hop, endpoint.url, **auth)
        self.relay.start()

    def deliver(self, hop, count=1):
        """One more message arrives there."""
        before = len(hop.messages)
        for _ in range(count):
            self.relay.send()
        basics.wait_for("mail", lambda: len(hop.messages) >= before + count)
        self.relay.wait_empty()

    def deferral(self, hop):
        """The words of one; nothing was sent, and nothing is given up."""
        before = self.relay.log().count("deferred ")
        self.relay.send()
        basics.wait_for("a deferral", lambda: self.relay.log().count(
            "deferred ") > before)
        self.assertEqual([s for s in hop.sessions if "MAIL" in s.stages], [])
        self.assertNotIn("bounced ", self.relay.log())
        return [line for line in self.relay.log().splitlines()
                if "deferred " in line][-1]

    def tokens(self, hop):
        return [token for _, _, token in hop.told]


class Cycle(Tokens):
    def test_first_and_again(self):
        """One is got, and used for each connection while it is good."""
        endpoint, hop = self.endpoint(counted()), self.hop()
        self.begin(hop, endpoint)
        for _ in range(3):
            self.deliver(hop)
        self.assertEqual(hop.told, 3 * [("XOAUTH2", USER, "token-1")])
        self.assertEqual(endpoint.forms, [{
            "grant_type": "refresh_token", "refresh_token": REFRESH,
            "client_id": CLIENT, "client_secret": SECRET,
            "scope": "https://mail.example/ offline"}])
        head = endpoint.requests[0][0]
        self.assertTrue(head.startswith("POST /oauth2/token HTTP/1.1\r\n"))
        self.assertIn("application/x-www-form-urlencoded", head)
        self.assertRegex(self.relay.log(), r"token_fetched endpoint=https://"
                         r"localhost:\d+/oauth2/token client=")

    def test_it_ends(self):
        endpoint, hop = self.endpoint(counted(life=4)), self.hop()
        self.begin(hop, endpoint)
        self.deliver(hop)
        time.sleep(2.2)                 # half of its life, and a bit
        self.deliver(hop)
        self.assertEqual(self.tokens(hop), ["token-1", "token-2"])
        self.assertEqual(len(endpoint.forms), 2)

    def test_refused(self):
        """With a reason in JSON or without, by either mechanism: another one on
        the same connection, once."""
        for mechanism in ("XOAUTH2", "OAUTHBEARER"):
            for refusal in (FAULT, b"535 5.7.3 no\r\n"):
                with self.subTest(mechanism, refusal=refusal):
                    endpoint = self.endpoint(counted())
                    hop = self.hop(f"{mechanism} PLAIN", good=["token-2"],
                                   refusal=refusal)
                    self.begin(hop, endpoint)
                    self.deliver(hop)
                    self.assertEqual(hop.told, [
                        (mechanism, USER, "token-1"),
                        (mechanism, USER, "token-2")])
                    self.assertEqual(len(hop.sessions), 1)
                    hop.good = ["token-3"]      # ended before its time
                    self.deliver(hop)
                    self.assertEqual(self.tokens(hop)[2:],
                                     ["token-2", "token-3"])
                    self.assertEqual(len(endpoint.forms), 3)
                    self.relay.stop()
                    os.unlink(self.relay.log_path)

    def test_refused_again(self):
        endpoint, hop = self.endpoint(counted()), self.hop(good=[])
        self.begin(hop, endpoint)
        line = self.deferral(hop)
        self.assertRegex(line, "code=535 .*not accepted .*of the token:.*400")
        self.assertEqual(self.tokens(hop), ["token-1", "token-2"])
        self.assertEqual(len(endpoint.forms), 2)
        hop.good = ["token-2"]
        self.relay.ctl("queue", "retry", "all")
        self.relay.wait_empty()
        self.assertEqual(len(endpoint.forms), 2)

    def test_not_the_token(self):
        """What is no refusal of the token is no reason for another one."""
        endpoint = self.endpoint(counted())
        hop = self.hop(good=[], refusal=b"454 4.7.0 later\r\n")
        self.begin(hop, endpoint)
        self.assertIn("code=454", self.deferral(hop))
        self.assertEqual(len(endpoint.forms), 1)
        self.assertEqual(len(hop.told), 1)

    def test_a_hop_that_closes(self):
        """The next attempt has another one."""
        endpoint = self.endpoint(counted())
        hop = self.hop(good=["token-2"], refusal=nexthop.CLOSE)
        self.begin(hop, endpoint)
        self.deferral(hop)
        hop.refusal = b"535 no\r\n"
        self.relay.ctl("queue", "retry", "all")
        basics.wait_for("mail", lambda: hop.messages)
        self.assertEqual(self.tokens(hop), ["token-1", "token-1", "token-2"])

    def test_many_at_once(self):
        """One question serves all who wait."""
        def slowly(_):
            time.sleep(1)
            return grant("the-one")
        endpoint, hop = self.endpoint(slowly), self.hop()
        self.begin(hop, endpoint)
        self.deliver(hop, 30)
        self.assertEqual(len(endpoint.forms), 1)
        self.assertEqual(set(self.tokens(hop)), {"the-one"})

    def test_client_credentials(self):
        endpoint, hop = self.endpoint(counted()), self.hop("OAUTHBEARER")
        self.begin(hop, endpoint, refresh_token_file=None, scope=None,
                   mechanism="oauthbearer")
        self.deliver(hop)
        self.assertEqual(endpoint.forms, [{
            "grant_type": "client_credentials", "client_id": CLIENT,
            "client_secret": SECRET}])
        self.assertEqual(hop.told, [("OAUTHBEARER", USER, "token-1")])

    def test_a_long_one(self):
        token = "".join(f"{i:x}-Zk9q" for i in range(1000))[:5120]
        endpoint, hop = self.endpoint(lambda _: grant(token)), self.hop()
        self.begin(hop, endpoint)
        self.deliver(hop)
        self.assertEqual(self.tokens(hop), [token])


class Changed(Tokens):
    """Endpoints that give another refresh token each time, and take the old
    one no more."""

    def setUp(self):
        super().setUp()
        self.last, self.count = REFRESH, 0

    def change(self, form):
        if form["refresh_token"] != self.last:
            return 400, {"error": "invalid_grant"}
        self.count += 1
        self.last = f"refresh/{self.count}"
        return grant(f"token-{self.count}", life=0, refresh_token=self.last)

    def stored(self):
        with open(self.refresh, encoding="ascii") as f:
            return f.read()

    def begin_changing(self):
        endpoint, hop = self.endpoint(self.change), self.hop()
        self.begin(hop, endpoint)
        self.deliver(hop)
        return hop

    def test_they_are_kept(self):
        """Over a reload, the end of keyd, and a start."""
        self.write("refresh", f"{REFRESH}\r\nof: the mailer's mailbox")
        hop = self.begin_changing()
        self.relay.wait_log("refresh_kept ")
        self.assertEqual(self.stored(),
                         "refresh/1\nof: the mailer's mailbox\n")
        self.assertEqual(os.stat(self.refresh).st_mode & 0o777, 0o600)
        self.deliver(hop)
        self.relay.ctl("reload")
        self.deliver(hop)
        self.relay.kill("keyd")
        before = len(hop.messages)
        self.relay.send()
        basics.wait_for("mail", lambda: len(hop.messages) > before or
                        self.relay.ctl("queue", "retry", "all") and False,
                        pause=0.5)
        self.relay.stop()
        self.relay.start()
        self.deliver(hop)
        self.assertEqual(self.stored().split("\n")[0], self.last)
        self.assertEqual(self.tokens(hop), [f"token-{n}" for n in
                                            range(1, self.count + 1)])

    def test_a_link(self):
        """It goes on to be one."""
        os.rename(self.refresh, f"{self.refresh}.real")
        os.symlink("refresh.real", self.refresh)
        self.begin_changing()
        self.relay.wait_log("refresh_kept ")
        self.assertEqual(os.readlink(self.refresh), "refresh.real")
        self.assertEqual(self.stored(), "refresh/1\n")

    def test_they_can_not_be_kept(self):
        """It works as long as mtad runs, and is told."""
        os.mkdir(f"{self.relay.folder}/sub")
        path = f"{self.relay.folder}/sub/refresh"
        os.rename(self.refresh, path)
        self.refresh = path
        endpoint, hop = self.endpoint(self.change), self.hop()
        self.begin(hop, endpoint)
        os.unlink(path)
        self.deliver(hop)
        self.relay.wait_log("refresh_lost level=error")
        self.relay.kill("keyd")
        before = len(hop.messages)
        self.relay.send()
        basics.wait_for("mail", lambda: len(hop.messages) > before or
                        self.relay.ctl("queue", "retry", "all") and False,
                        pause=0.5)
        self.assertNotIn("refresh/", self.relay.log())

    def test_by_hand(self):
        """The one that the administrator writes counts from the reload on."""
        hop = self.begin_changing()
        self.relay.wait_log("refresh_kept ")
        self.last = "of a new log-in"
        self.write("refresh", self.last)
        self.relay.ctl("reload")
        self.deliver(hop)
        self.assertEqual(self.count, 2)


class Trouble(Tokens):
    """There is no token: the mail waits, and the reason is told."""

    def test_endpoint_is_down(self):
        port = basics.free_ports(1)[0]
        hop = self.hop()
        self.configure(hop, f"https://localhost:{port}/oauth2/token")
        self.relay.start()
        line = self.deferral(hop)
        self.assertRegex(line, rf"no token from https://localhost:{port}"
                         "/oauth2/token: .*(?i:connect)")
        self.assertIn("token_failed ", self.relay.log())
        message = json.loads(self.relay.ctl("queue", "list", "--json"))
        self.assertEqual(message["state"], "deferred")
        self.assertIn("no token from", self.relay.ctl(
            "message", "history", message["id"]))
        self.assertEqual(hop.told, [])
        self.endpoint(counted(), port)
        self.relay.ctl("queue", "retry", "all")
        basics.wait_for("mail", lambda: hop.messages)
        self.relay.wait_empty()

    def test_a_renewal_fails(self):
        """The host has refused the token, and the endpoint has no other."""
        endpoint = self.endpoint([grant("token-1"), (503, b"busy")])
        hop = self.hop(good=[])
        self.begin(hop, endpoint)
        self.assertRegex(self.deferral(hop), "refused the token.*no token "
                         "from .*HTTP status 503")

    def test_endpoint_refuses(self):
        hop = self.hop()
        for answer, words in (
                ((400, {"error": "invalid_grant", "error_description":
                        "Token has been expired or revoked."}),
                 "HTTP status 400: invalid_grant: Token has been expired or "
                 "revoked."),
                ((401, {"error": "invalid_client"}), "invalid_client"),
                ((503, b"<html>"), "HTTP status 503"),
                ((200, b"{}"), "no token in the answer"),
                ((200, b"{"), "no token in the answer"),
                ((200, {"access_token": "a b"}), "none that can be told"),
                ((200, {"access_token": "a\r\nRSET"}),
                 "none that can be told"),
                ((200, b" " * 70000), "too long"),
                ((302, b""), "302"),
                ((400, {"error": f"what is {SECRET}?"}), "repeats a secret"),
                ((400, {"error": "e", "error_description": REFRESH}),
                 "repeats a secret")):
            with self.subTest(answer):
                self.begin(hop, self.endpoint(lambda _, a=answer: a))
                try:
                    self.assertIn(words, self.deferral(hop))
                    self.assertEqual(hop.told, [])
                    self.assertNotIn(REFRESH, self.relay.log())
                    self.assertNotIn(SECRET, self.relay.log())
                finally:
                    self.relay.stop()
                    os.unlink(self.relay.log_path)

    def test_endpoint_is_another(self):
        """One that can't prove its name is told nothing."""
        other = Certificate(self.relay.folder, "other", names=("localhost",))
        endpoint, hop = self.endpoint(counted(), certificate=other), self.hop()
        self.begin(hop, endpoint)
        self.assertRegex(self.deferral(hop), "no token from .*certificate")
        self.assertEqual(endpoint.forms, [])

    def test_endpoint_is_silent(self):
        endpoint, hop = self.endpoint(lambda _: None), self.hop()
        self.begin(hop, endpoint)
        self.assertIn("timed out asking for the password or token",
                      self.deferral(hop))

    def test_not_too_often(self):
        """However often it is refused."""
        endpoint = self.endpoint(counted())
        hop = self.hop(good=[])
        self.begin(hop, endpoint)
        self.relay.send()
        end = time.monotonic() + 4
        while time.monotonic() < end:
            self.relay.ctl("queue", "retry", "all")
            time.sleep(0.02)
        self.assertGreater(len(endpoint.forms), 3)
        self.assertLessEqual(len(endpoint.forms), 20 + 8)

    def test_processes_die(self):
        endpoint, hop = self.endpoint(counted()), self.hop()
        self.begin(hop, endpoint)
        self.deliver(hop)
        for name in ("fetchd", "keyd", "deliverd"):
            self.relay.kill(name)
            before = len(hop.messages)
            self.relay.send()
            basics.wait_for("mail", lambda n=before: len(hop.messages) > n or
                            self.relay.ctl("queue", "retry", "all") and False,
                            pause=0.5)
            self.relay.wait_empty()
        # keyd alone forgets them
        self.assertEqual(len(endpoint.forms), 2)

    def test_mistakes(self):
        hop = self.hop()
        for auth, words in (
                ({"token_url": "http://t.example/"}, "https://"),
                ({"token_url": "https://u:p@t.example/"}, "https://host"),
                ({"client_id": None}, "needs auth.client_id"),
                ({"client_secret_file": None, "refresh_token_file": None},
                 "auth.refresh_token_file or"),
                ({"password_file": self.secret}, "stands alone"),
                ({"mechanism": "plain"}, "needs auth.password_file"),
                ({"user": None}, "go together"),
                ({"refresh_token_file": self.write("empty", "")},
                 "first line"),
                ({"client_secret_file": "/nowhere/at/all"}, "no such")):
            with self.subTest(auth):
                self.configure(hop, "https://t.example/", **auth)
                p = self.check()
                self.assertEqual(p.returncode, 1, p.stderr)
                self.assertIn(words.lower(), p.stderr.lower())
        self.configure(hop, "https://t.example/")
        self.relay.config["routes"].append({
            **self.relay.config["routes"][0], "to": "x.example"})
        self.relay.configure()
        self.assertEqual(self.check().returncode, 0)
        routes = json.loads(json.dumps(self.relay.config["routes"]))
        routes[1]["auth"]["scope"] = "other"
        self.relay.configure(routes=routes)
        self.assertIn("rules that name it must have the same",
                      self.check().stderr)
        os.chmod(self.refresh, 0o644)
        self.assertIn("secret", self.check().stderr)

    def check(self):
        return subprocess.run(self.relay.command("mtad", "-t"), text=True,
                              capture_output=True, check=False)


class Secrets(Tokens):
    def test_memory_and_log(self):
        """Refresh tokens are keyd's alone, tokens for a moment others'."""
        token = "".join(f"{i:x}-Zk9q" for i in range(300))[:1900]
        refresh = "".join(f"{i:x}-Yj8r" for i in range(300))[:1900]
        secret = "".join(f"{i:x}-Xh7s" for i in range(200))[:900]
        self.write("refresh", refresh)
        self.write("client", secret)
        endpoint, hop = self.endpoint(lambda _: grant(token)), self.hop()
        self.begin(hop, endpoint)
        self.deliver(hop)
        self.assertEqual(self.tokens(hop), [token])
        needles = [text[700:740].encode() for text in (refresh, secret,
                                                        token)]
        needles.append(base64.b64encode(
            f"user={USER}\1auth=Bearer {token}\1\1".encode())[1000:1040])
        for name in ("smtpd", "queued", "deliverd", "dnsd", "fetchd"):
            for pid in self.relay.pids(name):
                self.assertEqual(memory.holds(pid, needles), [], name)
        self.assertEqual(memory.holds(self.relay.pids("keyd")[0], needles),
                         sorted(needles[:3]))
        self.relay.stop()
        for needle in needles:
            self.assertNotIn(needle.decode(), self.relay.log())


@unittest.skipUnless(postfix.is_there() and dovecot.is_there(),
                     "no private Postfix and Dovecot, no root")
class Postfix(Tokens):
    def test_postfix(self):
        """Whose users are a Dovecot's, which asks about tokens: first it knows
        the second one only, by either mechanism."""
        sink = nexthop.NextHop()
        self.addCleanup(sink.close)
        folder = os.path.join(self.relay.folder, "dovecot")
        users = dovecot.Dovecot(folder, f"{folder}.sock", {USER: "p"},
                                {"token-2": USER, "token-3": USER})
        self.addCleanup(users.close)
        port = basics.free_ports(1)[0]
        with open(f"{folder}/conf", "a", encoding="ascii") as f:
            f.write(f"service auth {{\n inet_listener {{\n"
                    f" address = 127.0.0.1\n port = {port}\n }}\n}}\n")
        users.start()
        endpoint = self.endpoint(counted())
        with postfix.Postfix(
                relayhost=f"[127.0.0.1]:{sink.port}", mynetworks="",
                smtpd_relay_restrictions="permit_sasl_authenticated, reject",
                smtpd_sasl_auth_enable="yes", smtpd_sasl_type="dovecot",
                smtpd_sasl_path=f"inet:127.0.0.1:{port}",
                smtpd_tls_security_level="encrypt",
                smtpd_tls_auth_only="yes",
                smtpd_tls_cert_file=self.certificate.chain,
                smtpd_tls_key_file=self.certificate.key) as hub:
            for count, mechanism in ((1, "xoauth2"), (2, "oauthbearer")):
                self.configure(hub, endpoint.url, mechanism=mechanism)
                self.relay.config["routes"][0]["via"] = (
                    f"smtp://localhost:{hub.port}")
                self.relay.configure()
                self.relay.start()
                self.relay.send()
                basics.wait_for("mail", lambda n=count:
                                len(sink.messages) == n)
                self.relay.wait_empty()
                self.relay.stop()
                self.assertIn(f"sasl_method={mechanism.upper()}, "
                              f"sasl_username={USER}", hub.log_text())
        self.assertEqual(len(endpoint.forms), 3)


if __name__ == "__main__":
    basics.main()
