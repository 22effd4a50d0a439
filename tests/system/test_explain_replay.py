"""Does mail go where `mtactl route explain` says?  More than a thousand
envelopes, by rules at random, each looked for where it was predicted."""
import json
import os
import random
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import (basics, certificate, client, nameserver, relay, sinks,
                     submission)

ENVELOPES = 1200
RULES = 60
DOMAINS = [f"d{i}.example" for i in range(12)]
NAMES = ["ann", "bob", "\"e.f\"", "e.f", "GEO"]
CLIENTS = [f"127.0.0.{i}" for i in range(1, 7)]
SMALL, LARGE = 1000, 20000              # a rule's bounds are far from both
FIELDS = ["X-Route: bulk 7", "x-route: Urgent", "List-Id: <a.news.example>"]


class World:
    """Rules at random over all that they can ask.  Each rule with named hosts
    has hosts of its own, each domain its exchangers; some are down, and what
    is up has TLS or not."""

    def __init__(self, dice):
        self.dice = dice
        self.port = basics.free_ports(1)[0]
        self.up, self.zone = {}, {}
        for i, domain in enumerate(DOMAINS):
            for name in (domain, f"sub.{domain}"):
                self.exchangers(name, 2 * i + (name != domain))
        self.rules = [self.rule(i) for i in range(RULES)]

    def is_lucky(self, chance):
        return self.dice.random() < chance

    def host(self, address, is_up, kinds):
        kind = self.dice.choice(kinds)
        if is_up:
            self.up[(address, self.port)] = kind
        return address, kind

    def exchangers(self, name, number):
        """One to three, of which the last is up; two may be equal; some have
        several addresses, five in all, as many as a round tries; some domains
        are their own exchanger."""
        count = self.dice.randint(0, 3)
        for j in range(max(count, 1)):
            host = f"m{j}.{name}" if count else name
            self.zone[(host, "A")] = [
                self.host(f"127.1.{number}.{10 * j + k + 1}",
                          j + 1 >= count or self.is_lucky(0.7),
                          (sinks.CLEAR, sinks.STARTTLS))[0]
                for k in range(self.dice.choice((1, 1, 2))
                               if j + 1 < 3 else 1)]
        if count:
            self.zone[(name, "MX")] = [
                (10 * self.dice.randint(1, 3), f"m{j}.{name}")
                for j in range(count)]

    def named(self, rule, number, last):
        schemes = {sinks.IMPLICIT: "smtps", sinks.LMTP: "lmtp"}
        address, kind = self.host(
            f"127.2.{rule}.{number}", number == last or self.is_lucky(0.2),
            (sinks.CLEAR, sinks.CLEAR, sinks.STARTTLS, sinks.IMPLICIT,
             sinks.LMTP))
        return f"{schemes.get(kind, 'smtp')}://{address}:{self.port}"

    def via(self, number):
        if self.is_lucky(0.4):
            return {"via": "mx"}
        if self.is_lucky(0.2):
            return {"via": self.dice.choice(("discard", "hold"))}
        if self.is_lucky(0.2):
            return {"via": "refuse", "text": f"5.1.6 Rule {number}"}
        count = self.dice.randint(1, 3)
        return {"via": [self.named(number, j, count)
                        for j in range(1, count + 1)]}

    def rule(self, number):
        # one that takes all hides those behind it
        has_all = number > RULES * 2 // 3 and self.is_lucky(0.1)
        rule = {"to": "*" if has_all else self.pattern(), **self.via(number)}
        if isinstance(rule["via"], list) or rule["via"] == "mx":
            rule["tls"] = self.dice.choice(
                ("none", "none", "opportunistic", "opportunistic",
                 "opportunistic-dane-sts", self.dice.choice(
                     ("required", "verified"))))
        for key, chance, value in (
                ("from", 0.3, lambda: self.dice.choice(
                    ("<>", self.pattern()))),
                ("client", 0.2, lambda: self.dice.sample(CLIENTS, 3)),
                ("user", 0.2, lambda: self.dice.choice(
                    ("ann", "a*", "bob", "<>"))),
                ("size", 0.2, lambda: self.dice.choice((">4KiB", "<=4KiB"))),
                ("header", 0.2, lambda: self.dice.choice(
                    ("X-Route: bulk*", "X-Route: *", "list-id: *news*",
                     ["X-Route: urgent", "List-Id: *"])))):
            if self.is_lucky(chance):
                rule[key] = value()
        return rule

    def pattern(self):
        domain = self.dice.choice(DOMAINS)
        user = self.dice.choice(NAMES)
        return self.dice.choice((
            domain, f"*.{domain}", f"*@{domain}", f"{user}@{domain}",
            [domain, f"{user}@sub.{domain}"]))

    def address(self):
        return (f"{self.dice.choice(NAMES)}@{self.dice.choice(('', 'sub.'))}"
                f"{self.dice.choice(DOMAINS)}")

    def envelope(self):
        user = "ann" if self.is_lucky(0.2) else ""
        return (("" if self.is_lucky(0.1) else self.address(),
                 self.address(),
                 CLIENTS[0] if user else self.dice.choice(CLIENTS), user,
                 self.dice.choice((SMALL, LARGE)),
                 self.dice.choice((*FIELDS, None, None))))

    def takes(self, host):
        """Whether mail gets in there, of a host that was predicted."""
        address, _, port = host["address"].rpartition(":")
        kind = self.up.get((address, int(port)))
        if kind is None or host["skipped"] or host["tls"] == "verified":
            return False                # nobody knows these certificates
        return host["tls"] != "required" or kind in (sinks.STARTTLS,
                                                     sinks.IMPLICIT)

    def has_tls(self, host):
        address, _, port = host["address"].rpartition(":")
        kind = self.up[(address, int(port))]
        return kind == sinks.IMPLICIT or (kind == sinks.STARTTLS and
                                          host["tls"] != "none")


class Replay(unittest.TestCase):
    """A message is predicted at the first host that takes it, or, of those
    that are drawn by lot, at any of them."""

    def setUp(self):
        seed = int(os.environ.get("SEED") or random.randrange(1 << 32))
        print(f"seed {seed}", flush=True)
        self.world = World(random.Random(seed))
        self.names = nameserver.NameServer(self.world.zone)
        self.addCleanup(self.names.close)
        self.relay = relay.Relay(
            start=False, routes=self.world.rules,
            relay={"networks": ["127.0.0.0/29"]},
            deliver={"port": self.world.port, "address_family": "ipv4"},
            dns={"servers": [f"127.0.0.1:{self.names.port}"]},
            queue={"first_retry": "1h", "max_retry": "1h"},
            reports={"postmaster": "pm@relay.example.org"})
        self.addCleanup(self.relay.remove)
        self.submission = submission.Submission(self.relay)
        hops = certificate.Certificate(self.relay.folder, "hop")
        self.sinks = sinks.Sinks(self.world.up, hops.server())
        self.addCleanup(self.sinks.close)
        self.relay.start()

    # -- what is said -------------------------------------------------------
    def ask(self, envelope):
        sender, recipient, source, user, size, field = envelope
        words = [recipient, "--from", sender, "--client", source, "--size",
                 str(size), "--all", "--json"]
        if user:
            words += ["--user", user]
        if field:
            words += ["--header", field]
        p = self.relay.try_ctl("route", "explain", *words)
        self.assertIn(p.returncode, (0, 1), p.stderr)
        answer = json.loads(p.stdout)
        self.assertEqual(p.returncode == 1, answer.get("no_host") is not None)
        return answer

    def places(self, answer):
        """Where it may arrive, and whether in TLS; none: it waits."""
        hosts = [h for h in answer["hosts"] if self.world.takes(h)]
        if hosts and hosts[0]["by_lot"]:
            hosts = [h for h in hosts if h["by_lot"] and
                     h["preference"] == hosts[0]["preference"]]
        else:
            hosts = hosts[:1]
        return {(h["address"], self.world.has_tls(h)) for h in hosts}

    # -- what is done -------------------------------------------------------
    def content(self, number, envelope):
        field, size = envelope[5], envelope[4]
        head = f"X-Number: {number}\r\n" + (f"{field}\r\n" if field else "")
        # with our Received field it is a little larger
        return f"{head}\r\n{('x' * 70 + chr(13) + chr(10)) * (size // 72)}"

    def send(self, connections, number, envelope):
        """The queue id, or the reply to RCPT: then the connection is given
        up, for who is refused again and again is thrown out."""
        sender, recipient, source, user = envelope[:4]
        if user:
            s = connections.setdefault(user, None) or \
                self.submission.connect()
            connections[user] = s
            s.docmd(f"MAIL FROM:<{sender}>")
            code, text = s.docmd(f"RCPT TO:<{recipient}>")
            if code != 250:
                connections.pop(user).close()
                return code, text.decode()
            return s.data(self.content(number, envelope).encode())[
                1].decode().split()[-1]
        c = connections.get(source)
        if not c:
            c = connections[source] = client.Client(self.relay.port,
                                                    source=source)
            c.hello()
        c.expect(f"MAIL FROM:<{sender}>", 250)
        reply = c.command(f"RCPT TO:<{recipient}>")
        if reply.code != 250:
            connections.pop(source).close()
            return reply.code, reply.text
        return c.content(self.content(number, envelope).encode()
                         ).text.split()[-1]

    def submit(self, envelopes):
        connections = {}
        sent = [self.send(connections, number, envelope)
                for number, envelope in enumerate(envelopes)]
        for c in connections.values():
            c.close()
        return sent

    # -- both ---------------------------------------------------------------
    def predict(self, envelopes):
        answers = {e: self.ask(e) for e in set(envelopes)}
        places = {e: self.places(a) for e, a in answers.items()}
        return answers, places

    def check_arrived(self, envelopes, answers, places):
        """Each once, where it was said, and none that was not to."""
        arrived = [g for g in self.sinks.got if g[3] is not None]
        for address, sender, recipient, number, has_tls in arrived:
            envelope = envelopes[number]
            self.assertEqual((sender, recipient), envelope[:2])
            self.assertIn((address, has_tls), places[envelope],
                          (envelope, answers[envelope]))
        self.assertEqual(sorted(g[3] for g in arrived), sorted(
            number for number, e in enumerate(envelopes) if places[e]))

    def check_others(self, envelopes, answers, places, sent):
        listed = {row["id"]: row["state"] for row in self.relay.list()}
        log = self.relay.log()
        for envelope, got in zip(envelopes, sent):
            answer = answers[envelope]
            action, told = answer["action"], (envelope, answer, got)
            self.assertEqual(action == "refuse-at-rcpt",
                             isinstance(got, tuple), told)
            if action == "refuse-at-rcpt":
                self.assertEqual(got[0], 550, told)
                self.assertIn(answer["refusal"]["text"], got[1])
            elif action == "hold":
                self.assertEqual(listed.pop(got), "held", told)
            elif action == "send" and not places[envelope]:
                self.assertEqual(listed.pop(got), "deferred", told)
            else:
                self.assertNotIn(got, listed, told)
            if action == "discard":
                self.assertIn(f"discarded by route {answer['rule']['number']}"
                              " ", self.line(log, got))
            elif action == "refuse":
                self.assertIn(answer["refusal"]["text"], self.line(log, got))

    def line(self, log, queue_id):
        return "".join(line for line in log.splitlines() if queue_id in line)

    def test_mail_goes_where_it_is_said_to_go(self):
        envelopes = [self.world.envelope() for _ in range(ENVELOPES)]
        answers, places = self.predict(envelopes)
        sent = self.submit(envelopes)
        due = sum(1 for e in envelopes if places[e])
        basics.wait_for("all have arrived", lambda: sum(
            1 for g in self.sinks.got if g[3] is not None) >= due, 60)
        basics.wait_for("nothing is under way", lambda: self.relay.count(
            "state:active") == 0, 60)
        self.check_arrived(envelopes, answers, places)
        self.check_others(envelopes, answers, places, sent)
        actions = [answers[e]["action"] for e in envelopes]
        rules = {answers[e]["rule"] and answers[e]["rule"]["number"]
                 for e in envelopes}
        print(f"{len(envelopes)} envelopes, {len(answers)} different, "
              f"{len(rules)} rules, {due} to "
              f"{len(set(g[0] for g in self.sinks.got))} hosts,",
              ", ".join(f"{a} {actions.count(a)}"
                        for a in sorted(set(actions))), flush=True)
        self.assertGreater(len(rules), 10)
        self.assertGreater(due, ENVELOPES // 10)
        self.relay.stop()


if __name__ == "__main__":
    basics.main()
