"""Hostile answers of name servers, over sockets: what becomes of the mail, and that
nobody is connected to who must not be (T24, T25, T26, T28).

The cases are those of tests/replay/dns/answers.txt, each with a domain of its own
behind one relay, so that all of them run at once."""
import ipaddress
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nameserver, network, nexthop, relay

OWN = "192.0.2.100"
HOSTS = [f"192.0.2.{i}" for i in range(1, 7)]
FILE = os.path.join(basics.SOURCE, "tests/replay/dns/answers.txt")
EVENTS = ("delivered", "deferred", "bounced", "discarded")


class Case:
    def __init__(self, name):
        self.name, self.refuses = name, False
        self.rows, self.verdict, self.tries = {}, None, []
        self.domain = None

    def add(self, name, kind, words, records):
        self.rows[(name, kind)] = (words.split(), records)


def read_cases():
    cases, case = [], None
    with open(FILE, encoding="ascii") as f:
        for line in f:
            line = line.rstrip("\n")
            if not line or line[0] == "#":
                case = None if not line else case
                continue
            word, _, rest = line.partition(" ")
            if word in ("address", "refused", "given"):
                ip, _, verdict = rest.partition(" ")
                one = Case(f"{word} {ip}")
                kind = "AAAA" if ":" in ip else "A"
                data = ip if kind == "A" else \
                    "x:" + ipaddress.ip_address(ip).packed.hex()
                one.add("d.example", "MX", "",
                        "d.example MX 10 m.d.example")
                one.add("m.d.example", kind, "",
                        f"m.d.example {kind} {data}")
                one.refuses = word == "refused"
                one.verdict = verdict or "deferred 4.4.1"
                one.tries = [ip] if word == "given" else []
                cases.append(one)
            elif word == "case":
                case = Case(rest)
                cases.append(case)
            elif line == "private refuse":
                case.refuses = True
            elif word == "verdict":
                case.verdict = rest
            elif word == "tries":
                case.tries = rest.split()
            else:
                head, _, records = line.partition(":")
                name, kind, *words = head.split(" ", 2)
                case.add(name, kind, " ".join(words), records)
    return cases


class Packet:
    """The answer that a row describes; d.example stands for DOMAIN."""

    def __init__(self, domain):
        self.domain, self.bytes = domain, b""

    def name(self, text):
        if text == "@self":
            return struct.pack(">H", 0xc000 | len(self.bytes))
        if text[0] == "@":
            return struct.pack(">H", 0xc000 | int(text[1:]))
        return nameserver.encode_name(self.there(text))

    def there(self, text):
        return re.sub(r"d\.example$", lambda m: self.domain.upper()
                      if m[0].isupper() else self.domain, text, flags=re.I)

    def put(self, *parts):
        for part in parts:
            self.bytes += part

    def data(self, kind, words):
        first = words[0] if words else ""
        if first.startswith("x:"):
            self.put(bytes.fromhex(first[2:]))
        elif first[:1] == "*":
            text = b"x" * int(first[1:])
            self.put(*(bytes([len(text[i:i + 255])]) + text[i:i + 255]
                       for i in range(0, len(text), 255)))
        elif kind == "MX":
            self.put(struct.pack(">H", int(first)))
            self.put(self.name(words[1]))
        elif kind == "CNAME":
            self.put(self.name(first))
        else:
            self.put(ipaddress.ip_address(first).packed)

    def record(self, text):
        owner, kind, *words = text.split()
        options = dict(w.split("=") for w in words if "=" in w)
        number = nameserver.TYPES.get(kind) or int(kind)
        self.put(self.name(owner))
        self.put(struct.pack(">HHI", number, int(options.get("class", 1)),
                             60))
        at = len(self.bytes)
        self.put(b"\0\0")
        self.data(kind, words)
        n = int(options.get("len", len(self.bytes) - at - 2))
        self.bytes = (self.bytes[:at] + struct.pack(">H", n) +
                      self.bytes[at + 2:])

    def records(self, text):
        count = 0
        for part in filter(None, (w.strip() for w in text.split(";"))):
            times, star, one = part.partition("*")
            if not star or not times.isdigit():
                times, one = "1", part
            for i in range(1, int(times) + 1):
                self.record(one.replace("%", str(i)))
                count += 1
        return count

    @classmethod
    def make(cls, query, question, domain, words, text):
        options = dict(w.split("=", 1) for w in words if "=" in w)
        flags = 0x8180 | int(options.get("rcode", 0))
        flags |= 0x200 if "tc" in words else 0
        flags &= 0x7fff if "noqr" in words else 0xffff
        ident, = struct.unpack(">H", query[:2])
        p = cls(domain)
        p.put(b"\0" * 12)
        if "question" in options:
            name, kind = options["question"].split("/")
            p.put(p.name(name), struct.pack(
                ">HH", nameserver.TYPES[kind], 1))
        else:
            p.put(question)
        count = p.records(text)
        head = struct.pack(">HHHHHH", ident ^ ("badid" in words), flags,
                           int(options.get("qd", 1)),
                           int(options.get("an", count)), 0, 0)
        whole = head + p.bytes[12:] + b"\xff" * int(options.get("junk", 0))
        return whole[:max(0, len(whole) - int(options.get("cut", 0)))]


class Names(nameserver.NameServer):
    """Answers by the cases."""

    def __init__(self, cases):
        self.cases = {case.domain: case for case in cases}
        super().__init__()

    def answer(self, query, transport):
        if len(query) < 17:
            return None
        name, at = nameserver.decode_name(query, 12)
        number, = struct.unpack(">H", query[at:at + 2])
        kind = nameserver.NAMES.get(number, str(number))
        question = query[12:at + 4]
        name = name.lower()
        with self.lock:
            self.asked.append((name, kind, transport))
        for case in (self.cases.get(".".join(name.split(".")[-2:])),):
            if case is None:
                break
            row_name = re.sub(re.escape(case.domain) + "$", "d.example",
                              name)
            row = case.rows.get((row_name, kind))
            if row and "tc" in row[0] and transport == "tcp":
                row = case.rows.get((row_name, kind + "/tcp"), row)
            if row:
                if "silence" in row[0]:
                    return None
                return Packet.make(query, question, case.domain, *row)
            if any(n == row_name for n, _ in case.rows):
                return Packet.make(query, question, case.domain, [], "")
        for case in self.cases.values():        # names outside of all domains
            row = case.rows.get((name, kind))
            if row:
                return Packet.make(query, question, case.domain, *row)
        return Packet.make(query, question, "x", ["rcode=3"], "")


class Trace:
    """What the processes of a relay connect to, by strace(1)."""

    def __init__(self, pids):
        self.file = tempfile.NamedTemporaryFile(prefix="mtad-strace.")
        self.process = subprocess.Popen(
            ["strace", "-f", "-qq", "-e", "trace=connect", "-o",
             self.file.name, *(w for pid in pids for w in ("-p", str(pid)))],
            stderr=subprocess.DEVNULL)
        time.sleep(1)

    def connected(self):
        self.process.terminate()
        self.process.wait()
        with open(self.file.name, encoding="latin-1") as f:
            text = f.read()
        self.file.close()
        found = set()
        for m in re.finditer(r"connect\(\d+, \{sa_family=AF_INET6?, (.*?)\}, "
                             r"\d+\)", text):
            ip = re.search(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, '
                           r'"([^"]+)"', m[1])
            port = re.search(r"port=htons\((\d+)\)", m[1])
            if port[1] == "25":
                found.add(str(plain(ip[1] or ip[2])))
        return found


def plain(text):
    ip = ipaddress.ip_address(text)
    return getattr(ip, "ipv4_mapped", None) or ip


class HostileNames(unittest.TestCase):
    def run_cases(self, cases, policy):
        for i, case in enumerate(cases):
            case.domain = f"c{i}.example"
        names = Names(cases)
        self.addCleanup(names.close)
        r = relay.Relay(
            routes=[], hostname="relay.example.org",
            dns={"servers": [f"127.0.0.1:{names.port}"], "timeout": "3s"},
            deliver={"port": 25, "connect_timeout": "1s",
                     "idle_timeout": "0s", "private_addresses": policy},
            queue={"first_retry": "1h", "max_retry": "1h"}, start=False)
        r.configure(listeners=[*r.config["listeners"],
                               {"address": f"{OWN}:25"}])
        r.start()
        self.addCleanup(r.remove)
        # a sanitized process is its own tracer at its end
        is_traced = shutil.which("strace") and not basics.IS_SANITIZED
        trace = Trace(r.pids("deliverd")) if is_traced else None
        with r.connect() as c:
            c.hello()
            for case in cases:
                case.id = c.mail("", [f"user@{case.domain}"], b"x\r\n")
        fates = {}

        def all_told():
            fates.clear()
            for line in r.log().splitlines():
                m = re.search(r" (\w+) id=(\w+) ", line)
                if m and m[1] in EVENTS:
                    fates.setdefault(m[2], []).append((m[1], line))
            return all(case.id in fates for case in cases)

        basics.wait_for("all fates", all_told, 60)
        connected = trace.connected() if trace else None
        log = r.log()
        r.stop()
        return fates, connected, log

    def check(self, cases, policy):
        fates, connected, log = self.run_cases(cases, policy)
        may = set()
        for case in cases:
            with self.subTest(case.name):
                event, line = fates[case.id][0]
                outcome, status = case.verdict.split()
                self.assertEqual(event == "deferred", outcome == "deferred",
                                 line)
                self.assertIn(status, line + "".join(
                    text for _, text in fates[case.id]))
            may |= {str(plain(ip)) for ip in case.tries}
        if connected is not None:
            self.assertTrue(connected)
            self.assertLessEqual(connected, may)

    def test_answers(self):
        """T24 to T26, T28: every case as it is written down; deliverd connects
        to no address but those."""
        cases = [case for case in read_cases() if not case.refuses]
        self.assertGreater(len(cases), 200)
        self.check(cases, "allow")

    def test_private_networks(self):
        """T24: refused before a connection is made."""
        self.check([case for case in read_cases() if case.refuses], "refuse")


class Outage(unittest.TestCase):
    """T28 on a small scale: an outage of many tries, and one that is longer
    than mail is kept."""

    FAULTS = {"fail": nameserver.SERVFAIL, "refuse": nameserver.REFUSED,
              "mute": nameserver.SILENCE}
    KEPT = 9

    def events(self, name, domain):
        return [line for line in self.relay.log().splitlines()
                if f" {name} " in line and f"@{domain}>" in line]

    def test_outage(self):
        """Nothing is told early, nobody asks without end, mail is taken; who
        is back in time has his mail, and of who is not the sender hears."""
        zone = {(f"{word}-{end}.example", "MX"): fault
                for word, fault in self.FAULTS.items()
                for end in ("short", "long")}
        names = nameserver.NameServer({
            **zone, ("mx.example", "A"): [HOSTS[0]]})
        self.addCleanup(names.close)
        hop = nexthop.NextHop(25, HOSTS[0])
        self.addCleanup(hop.close)
        self.relay = r = relay.Relay(
            routes=[], queue={"first_retry": "400ms", "max_retry": "800ms",
                              "expire": f"{self.KEPT}s"},
            dns={"servers": [f"127.0.0.1:{names.port}"], "timeout": "1s"})
        self.addCleanup(r.remove)
        self.addCleanup(r.stop)
        start = time.monotonic()
        domains = [name for name, _ in zone]
        while time.monotonic() - start < self.KEPT / 2:
            at = time.monotonic()
            with r.connect() as c:
                c.hello()
                for domain in domains:
                    c.mail("", [f"u@{domain}"], b"x\r\n")
            self.assertLess(time.monotonic() - at, 2)
            time.sleep(0.5)
        self.assertNotIn(" bounced ", r.log())
        for domain in domains:
            self.assertGreaterEqual(len(self.events("deferred", domain)), 2)
            if domain.endswith("short.example"):
                names.zone[domain, "MX"] = [(10, "mx.example")]
        r.wait_empty(3 * self.KEPT)
        for domain in domains:
            with self.subTest(domain):
                is_short = domain.endswith("short.example")
                told = self.events("delivered" if is_short else "bounced",
                                   domain)
                self.assertGreater(len(told), 3)
                self.assertEqual(self.events("bounced" if is_short else
                                             "delivered", domain), [])
                for line in told:
                    age = float(re.search(r"age=([\d.]+)s", line)[1])
                    self.assertTrue(is_short or age >= self.KEPT, line)
                    self.assertTrue(is_short or " status=4.4.3 " in line or
                                    " status=5.4.7 " in line or
                                    " status=4.4.7 " in line, line)
                # a question is put to a server that fails a few times over
                self.assertLess(names.count(domain, "MX"), 20 * self.KEPT)


if __name__ == "__main__":
    network.enter([*HOSTS, OWN])
    basics.main()
