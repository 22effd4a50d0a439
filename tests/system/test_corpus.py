"""Real messages, from packages of Debian, arrive byte for byte below the
trace field (I-09, S5321-65, -67, -68, -69, MSG-05).

In the packages they lie as text files: their line ends, LF, become CR LF
before they are sent, and a missing last one is added.  Mailbox files are
taken apart; messages attached to messages count as messages too."""
import email
import glob
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, relay

FOLDER = os.path.join(basics.SOURCE, ".cache/corpus")
CORPUS = os.path.join(basics.SOURCE, "tests/corpus")
LEAST = 300
TRACE = rb"\AReceived: from client\.example .*\r\n(\t.*\r\n)+\Z"


def files():
    with open(os.path.join(CORPUS, "packages"), encoding="ascii") as f:
        for line in f:
            if not line.startswith("#"):
                yield from sorted(glob.glob(os.path.join(
                    FOLDER, *line.split())))


def attached(data):
    try:
        for part in email.message_from_bytes(data).walk():
            if part.get_content_type() == "message/rfc822":
                for inner in part.get_payload():
                    yield inner.as_bytes()
    except Exception:       # what Python can't take apart is sent whole
        return


def messages():
    """All different ones, as (name, content)."""
    seen = set()
    for path in files():
        with open(path, "rb") as f:
            data = f.read()
        parts = re.split(rb"(?m)^From .*\n", data) if ".mbox" in path \
            else [data]
        parts += [inner for part in parts for inner in attached(part)]
        for i, content in enumerate(parts):
            content = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            if not content.endswith(b"\r\n"):
                content += b"\r\n"
            if content not in seen and b"\n" in content.strip():
                seen.add(content)
                yield f"{path[len(FOLDER) + 1:]} {i}", content


def why_refusable(content):
    """The rule by which a server may, or must, refuse that message."""
    if re.search(rb"\r(?!\n)|(?<!\r)\n", content):
        return "RFC 5321 2.3.8: a CR or LF alone"
    return None


class Corpus(unittest.TestCase):
    def test_all_arrive(self):
        if not list(files()):
            subprocess.run([os.path.join(CORPUS, "get-corpus"), FOLDER],
                           timeout=100, check=False)
        if not list(files()):
            self.skipTest("no packages (off line?)")
        sent, refused = {}, {}
        with nexthop.NextHop() as hop, relay.Relay(hop.port) as r:
            with r.connect() as c:
                c.hello()
                for i, (name, content) in enumerate(messages()):
                    c.expect("MAIL FROM:<> BODY=8BITMIME", 250)
                    c.expect(f"RCPT TO:<m{i}@served.example>", 250)
                    reply = c.content(content)
                    if reply.code == 250:
                        sent[f"m{i}@served.example"] = (name, content)
                    else:
                        refused[name] = (content, str(reply))
            r.wait_empty()
        print(f"{len(sent)} sent, {len(refused)} refused")
        for name, (content, reply) in refused.items():
            rule = why_refusable(content)
            print(f"refused by {rule}: {name}")
            self.assertIsNotNone(rule, f"{name}: {reply}")
        for name, content in sent.values():
            self.assertIsNone(why_refusable(content), name)
        self.assertEqual(len(hop.messages), len(sent))
        for message in hop.messages:
            name, content = sent[message.recipients[0]]
            # cut by length: a message may begin with a folded line, which
            # then continues our field
            trace = message.content[:-len(content)]
            self.assertEqual(message.content[-len(content):], content, name)
            self.assertRegex(trace, TRACE, name)
        self.assertGreaterEqual(len(sent), LEAST)


if __name__ == "__main__":
    basics.main()
