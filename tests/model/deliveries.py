#!/usr/bin/env -S python3 -B
"""deliveries.py PROGRAM [COUNT [SEED]]: hosts with random scripts, and what each
recipient's verdict must be, compared with deliverd's engine.

The model below was written from RFC 5321, 2920 and 2033 and docs/INVARIANTS.md, not
from the engine; it knows no bytes but replies, one after the other, and keeps what a
client may conclude from them.  PROGRAM is tests/model/deliveries.c.  A script that
goes wrong is printed as PROGRAM reads it."""
import random
import subprocess
import sys
import time

BATCH = 1000


class Reply:
    """One reply of a host; `code` 0: what is none."""

    def __init__(self, code, status="", form="line"):
        self.code, self.form = code, form
        self.status = "" if form == "bare" else status

    @property
    def digit(self):
        return self.code // 100

    def wire(self):
        if not self.code:
            return self.form.encode("latin-1")
        text = f"{self.status} words".strip()
        lines = {"line": ["{0} {1}"], "bare": ["{0}"],
                 "lines": ["{0}-{1}", "{0}-and more", "{0} {1}"]}[self.form]
        return "".join(line.format(self.code, text) + "\r\n"
                       for line in lines).encode()


class Over(Exception):
    """The connection is of no more use: `code` of a reply that said so (0: the
    protocol was broken, or the line), and whether replies may have been taken for
    others'."""

    def __init__(self, code=0, is_shifted=False):
        self.code, self.is_shifted = code, is_shifted


class Mail:
    def __init__(self, count):
        self.fate = [None] * count      # (letter, code)
        self.refused = []               # in this transaction
        self.is_begun = False

    @property
    def open(self):
        return [i for i, fate in enumerate(self.fate) if fate is None]

    def settle(self, some, letter, code):
        for i in some:
            if self.fate[i] is None:
                self.fate[i] = (letter, code)

    def verdict(self):
        return ",".join("%s%d" % (fate or ("u", 0)) for fate in self.fate)


class Client:
    """What a client may conclude; `tokens` are lists of replies that come in one
    segment, or the words timeout and lost."""

    def __init__(self, tokens, counts, most, is_lmtp):
        self.tokens, self.most, self.is_lmtp = iter(tokens), most, is_lmtp
        self.mails = [Mail(n) for n in counts]
        self.segment, self.tries = [], 0

    def reply(self, may_be_behind=True):
        """The next one.  What came in a segment with the reply that caused the
        command can't be its answer."""
        if self.segment and not may_be_behind:
            raise Over()
        if not self.segment:
            token = next(self.tokens, "lost")
            if token in ("timeout", "lost"):
                raise Over()
            self.segment = list(token)
        reply = self.segment.pop(0)
        if reply.code == 421:
            raise Over(421)
        if reply.code == 0:
            raise Over()
        return reply

    def run(self):
        try:
            self.hello()
            while True:
                mail = self.next_mail()
                if mail is None:
                    return
                self.deliver(mail)
        except Over:
            pass

    def hello(self):
        if self.reply().digit != 2:
            raise Over()
        self.may_group = False
        reply = self.reply(False)
        if reply.digit == 2:
            self.may_group = "PIPELINING" in reply.status
        elif self.is_lmtp or reply.code not in (500, 501, 502, 504, 550):
            raise Over()
        elif self.reply(False).digit != 2:
            raise Over()
        if self.segment:                # nothing was asked
            raise Over()
        self.is_dirty, self.ahead = False, None

    def next_mail(self):
        if self.ahead:
            mail, self.ahead = self.ahead, None
            return mail
        if self.segment:
            raise Over()
        return self.choose()

    def choose(self):
        for mail in self.mails:
            if not mail.is_begun:
                mail.is_begun = True
                return mail
        return None

    def deliver(self, mail):
        """One transaction; a mail that it was not enough for is begun again."""
        self.tries += 1
        self.is_answered = False
        batch = mail.open[:self.most]
        taken, self.is_sent = [], False
        first_try = self.tries == 1
        try:
            self.transaction(mail, batch, taken)
        except Over as over:
            if over.is_shifted:         # whom were those refusals for?
                for i in mail.refused:
                    mail.fate[i] = None
            if not self.is_answered and not first_try:
                raise
            if self.is_sent and over.code != 421:
                mail.settle(taken, "x", over.code)
            mail.settle(mail.open, "t", over.code)
            raise
        mail.is_begun = not mail.open

    def transaction(self, mail, batch, taken):
        mail.refused = []
        if self.is_dirty:
            self.is_dirty = False
            reply = self.reply()
            if reply.digit != 2:
                raise Over(reply.code)
            self.mail_command(mail, batch, taken, self.may_group)
        else:
            self.mail_command(mail, batch, taken, True)

    def mail_command(self, mail, batch, taken, may_be_behind):
        reply = self.reply(may_be_behind)
        if reply.digit == 3:
            raise Over()
        self.is_answered = True
        if reply.digit != 2:
            letter = "t" if reply.digit == 4 else "f"
            if letter == "f":
                mail.refused += mail.open
            mail.settle(mail.open, letter, reply.code)
            if not self.may_group:
                return
        for i in batch:
            self.recipient(mail, i, taken)
        if not taken and not self.may_group:
            self.is_dirty = True
            return
        self.data(mail, taken)

    def recipient(self, mail, i, taken):
        reply = self.reply(self.may_group)
        if reply.digit == 3:
            raise Over(0, self.may_group)
        if mail.fate[i] is not None:    # refused with MAIL
            return
        is_too_many = reply.code in (452, 552) and (
            not reply.status or reply.status.endswith(".5.3"))
        if reply.digit == 2:
            taken.append(i)
        elif is_too_many:
            if not taken:
                mail.settle([i], "t", reply.code)
        else:
            mail.settle([i], "t" if reply.digit == 4 else "f", reply.code)
            if reply.digit == 5:
                mail.refused.append(i)

    def data(self, mail, taken):
        reply = self.reply(self.may_group)
        if reply.digit == 2:
            raise Over(0, self.may_group)
        if reply.digit in (4, 5):
            mail.settle(taken, "t" if reply.digit == 4 else "f", reply.code)
            self.is_dirty = True
            return
        if taken:
            self.content(mail, taken)
        elif self.is_lmtp:
            raise Over(0, self.may_group)
        self.end(mail, taken)

    def content(self, mail, taken):
        if not self.segment:
            return
        early = self.reply()            # before the content went out
        if early.digit in (4, 5):
            mail.settle(taken, "t" if early.digit == 4 else "f", early.code)
            raise Over(early.code)
        raise Over()

    def end(self, mail, taken):
        self.is_sent = True
        is_alone = not taken            # the lone dot is an answer
        if is_alone and self.segment:
            raise Over()
        if self.may_group:
            self.ahead = self.choose()
        last = len(taken) - 1
        for k, i in enumerate(taken if self.is_lmtp else [None]):
            reply = self.reply()
            if reply.digit == 3:
                raise Over()
            letter = {2: "d", 4: "t", 5: "f"}[reply.digit]
            mail.settle(taken if i is None else [i], letter, reply.code)


# ---- scripts ----

def enhanced(chance, code):
    if chance.random() < 0.4 or code // 100 == 3:
        return ""
    return "%d.%d.%d" % (code // 100, chance.choice((1, 2, 5, 7)),
                         chance.choice((1, 2, 3)))


def odd_reply(chance):
    if chance.random() < 0.3:
        return Reply(0, form=chance.choice((
            "25\r\n", "abc\r\n", "\r\n", "250-a\r\n550 b\r\n", "999 x\r\n",
            "25\0 x\r\n", "250~x\r\n", "\xff\xfe\r\n", "100 x\r\n")))
    code = chance.choice((200, 220, 221, 250, 250, 251, 299, 334, 354, 354,
                          399, 421, 450, 451, 452, 452, 454, 478, 500, 501, 502,
                          503, 530, 550, 550, 552, 552, 554, 599))
    return Reply(code, enhanced(chance, code),
                 chance.choice(("line", "bare", "lines")))


class Hello(Reply):
    def wire(self):
        if not self.code or self.form != "hello":
            return super().wire()
        more = "250-hop.example\r\n" + (
            "250-PIPELINING\r\n" if self.status else "") + "250 8BITMIME\r\n"
        return more.encode()


def plausible(chance, counts, is_lmtp, is_grouped, most):
    """The replies of a host that is well: a place to put faults in."""
    replies = [Reply(220), Hello(250, "PIPELINING" if is_grouped else "",
                                 "hello")]
    for count in counts:
        for first in range(0, count, most):
            some = min(most, count - first)
            replies.append(Reply(250))
            good = 0
            for _ in range(some):
                code = chance.choices((250, 550, 450, 452, 552),
                                      (70, 12, 8, 5, 5))[0]
                good += code == 250
                replies.append(Reply(code, enhanced(chance, code)))
            if not good:
                replies += [Reply(554), Reply(250)] if is_grouped else [
                    Reply(250)]
                continue
            replies.append(Reply(354))
            for _ in range(good if is_lmtp else 1):
                code = chance.choices((250, 550, 450), (80, 10, 10))[0]
                replies.append(Reply(code, enhanced(chance, code)))
    return replies


def make_script(chance):
    is_lmtp = chance.random() < 0.25
    is_grouped = chance.random() < 0.6
    counts = [chance.choice((1, 1, 2, 3, 5))
              for _ in range(chance.choice((1, 2, 2, 3, 4)))]
    most = chance.choice((1, 2, 3, 100))
    replies = plausible(chance, counts, is_lmtp, is_grouped, most)
    for _ in range(chance.choice((0, 0, 1, 1, 2, 4))):
        at = chance.randrange(len(replies))
        if chance.random() < 0.7 or at < 2:
            replies[at] = odd_reply(chance)
        elif chance.random() < 0.5:
            replies.insert(at, odd_reply(chance))
        else:
            del replies[at]
    if chance.random() < 0.3:
        del replies[chance.randrange(1, len(replies) + 1):]
    tokens = []
    is_bytewise = chance.random() < 0.1
    for reply in replies:
        if tokens and chance.random() < 0.03 and not is_bytewise:
            tokens[-1].append(reply)
        else:
            tokens.append([reply])
    tokens.append(chance.choice(("timeout", "lost")))
    options = ("l" if is_lmtp else "") + ("b" if is_bytewise else "") or "-"
    line = " ".join([options, str(most), ",".join(map(str, counts)), *(
        t if isinstance(t, str) else
        f"{len(t)}:" + b"".join(r.wire() for r in t).hex() for t in tokens)])
    return line, Client(tokens, counts, most, is_lmtp)


def compare(program, chance, count, letters):
    scripts = [make_script(chance) for _ in range(count)]
    done = subprocess.run([program], text=True, capture_output=True,
                          input="".join(line + "\n" for line, _ in scripts))
    if done.returncode:
        print(done.stderr[-4000:])
        return count
    wrong = 0
    for (line, client), said in zip(scripts, done.stdout.splitlines(),
                                    strict=True):
        client.run()
        want = " ".join(mail.verdict() for mail in client.mails)
        for letter in want:
            letters[letter] = letters.get(letter, 0) + letter.isalpha()
        if want != said:
            wrong += 1
            if wrong <= 5:
                print(f"script:   {line}\nmust be:  {want}\n"
                      f"engine's: {said}")
    return wrong


def main(program, count="3000", seed=None):
    """With a minus before COUNT a difference is what is looked for."""
    seed = int(seed) if seed else int(time.time())
    chance, letters, wrong = random.Random(seed), {}, 0
    left = abs(int(count))
    while left > 0 and (wrong == 0 or int(count) > 0):
        wrong += compare(program, chance, min(BATCH, left), letters)
        left -= BATCH
    fates = ", ".join(f"{letters.get(c, 0)} {word}" for c, word in (
        ("d", "delivered"), ("t", "deferred"), ("f", "failed"),
        ("x", "in doubt"), ("u", "untried")))
    print(f"seed {seed}: {count} scripts, {fates}; {wrong} differ")
    if int(count) < 0:
        return 0 if wrong else 1
    return 1 if wrong or not all(letters.get(c) for c in "dtfxu") else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
