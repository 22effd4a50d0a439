"""8BIT-04: converted messages as Python's parser of mail sees them: random
trees of parts have the same leaves before and after."""
import email
import email.policy
import random
import subprocess
import sys
import unittest

PROGRAM = sys.argv.pop(1)
ROUNDS = 200


def convert(raw, step):
    return subprocess.run([PROGRAM, str(step)], input=raw, check=False,
                          timeout=60, capture_output=True)


class Maker:
    """A random message, in CRLF lines."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.count = 0
        self.is_8bit = False

    def text(self):
        letters = self.dice.choice((
            "abc  \t=.-\r\n", "abcdefghi jklmnü\r\n", "äöüß -\r\n",
            "漢字かな\r\n"))
        lines = "".join(self.dice.choice(letters)
                        for _ in range(self.dice.randrange(400)))
        lines = "\r\n".join(lines.splitlines())
        return lines.encode() + b"\r\n" * self.dice.randrange(3)

    def octets(self):
        dice = self.dice
        body = dice.randbytes(dice.randrange(500))
        return body.replace(b"\r", b"").replace(b"\n", b"").replace(
            b"\0", b"") + b"\r\n" * dice.randrange(2)

    def leaf(self):
        body = self.text() if self.dice.random() < 0.7 else self.octets()
        kinds = ("text/plain; charset=utf-8", "text/html; charset=utf-8",
                 "application/octet-stream", "image/png; name=\"x\"")
        lines = [b"Content-Type: " + self.dice.choice(kinds).encode()]
        is_8bit = any(c > 127 for c in body)
        self.is_8bit |= is_8bit
        cte = self.dice.choice(("8bit", "8BIT", "binary") if is_8bit else
                               ("7bit", "8bit", None))
        if cte:
            lines.append(b"Content-Transfer-Encoding:  " + cte.encode())
        if self.dice.random() < 0.3:
            lines.append(b"Content-Disposition: attachment;\r\n"
                         b"\tfilename=\"a b\"")
        self.dice.shuffle(lines)
        return b"\r\n".join(lines) + b"\r\n\r\n" + body

    def multipart(self, depth):
        self.count += 1
        b = f"{'=_' * self.dice.randrange(2)}{self.count}.x".encode()
        kind = self.dice.choice(("mixed", "alternative", "related",
                                 "report")).encode()
        head = b"Content-Type: multipart/" + kind + \
            b";\r\n boundary=\"" + b + b"\"\r\n"
        if self.dice.random() < 0.5:
            head += b"Content-Transfer-Encoding: 8bit\r\n"
        parts = [self.entity(depth + 1)
                 for _ in range(self.dice.randrange(1, 4))]
        body = self.dice.choice((b"", b"preamble\r\n"))
        for part in parts:
            body += b"--" + b + b"\r\n" + part + b"\r\n"
        return head + b"\r\n" + body + b"--" + b + b"--\r\n"

    def message(self, depth):
        self.count += 1
        return (b"Content-Type: message/rfc822\r\n\r\n"
                b"Subject: %d\r\nMIME-Version: 1.0\r\n" % self.count +
                self.entity(depth + 1))

    def entity(self, depth):
        what = self.dice.random()
        if depth < 5 and what < 0.45 - depth / 20:
            return self.multipart(depth)
        if 0 < depth < 5 and what < 0.55:
            return self.message(depth)
        return self.leaf()

    def whole(self):
        return b"Subject: x\r\nMIME-Version: 1.0\r\n" + self.entity(0)


def leaves(raw):
    """Of each leaf its type and its octets."""
    found = []
    for part in email.message_from_bytes(
            raw, policy=email.policy.compat32).walk():
        if part.is_multipart():
            continue
        found.append((part.get_content_type(), part.get_filename(),
                      part.get_payload(decode=True)))
    return found


class Trees(unittest.TestCase):
    def check(self, raw, step):
        p = convert(raw, step)
        self.assertEqual(p.returncode, 0, p.stderr)
        out = p.stdout
        self.assertTrue(out.isascii())
        self.assertNotIn(0, out)
        self.assertLessEqual(max(map(len, out.split(b"\r\n"))), 998)
        self.assertEqual(out.count(b"\n"), out.count(b"\r\n"))
        for part in email.message_from_bytes(out).walk():
            cte = str(part.get("Content-Transfer-Encoding", "7bit"))
            if part.is_multipart():
                self.assertEqual(cte.strip(), "7bit")
            else:
                self.assertIn(cte.strip(), ("7bit", "base64",
                                            "quoted-printable"))
        return out

    def test_random(self):
        eights = 0
        for seed in range(ROUNDS):
            with self.subTest(seed):
                maker = Maker(seed)
                raw = maker.whole()
                eights += maker.is_8bit
                out = self.check(raw, 1 + seed % 300)
                before = leaves(raw)
                after = leaves(out)
                # a soft break ends what had no line end
                self.assertEqual(before, after)
                again = convert(out, 4096)
                self.assertEqual(again.stdout, out)
        self.assertGreater(eights, ROUNDS // 2)

    def test_texts(self):
        """The usual letter, and one in which nothing is ASCII."""
        head = (b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: "
                b"text/plain; charset=utf-8\r\n"
                b"Content-Transfer-Encoding: 8bit\r\n\r\n")
        for text, cte in (("Grüße aus Köln\r\n" * 300,
                           "quoted-printable"),
                          ("漢字かな交じり文\r\n" * 300, "base64")):
            out = self.check(head + text.encode(), 100)
            message = email.message_from_bytes(
                out, policy=email.policy.default)
            self.assertEqual(message["Content-Transfer-Encoding"], cte)
            self.assertEqual(message.get_payload(decode=True),
                             text.encode())
            self.assertEqual(message.defects, [])


if __name__ == "__main__":
    unittest.main()
