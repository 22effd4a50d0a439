"""Ten thousand guesses at passwords (T19), from one address and from a
thousand: how many are looked at, and whether the user himself gets in.

MTAD_GUESSES=10000 for as many; usually 400, from a hundred addresses."""
import asyncio
import base64
import os
import ssl
import statistics
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, passwords, relay, submission
from support.certificate import trusting_all

TRIES = int(os.environ.get("MTAD_GUESSES", "400"))
CLIENTS = max(TRIES // 10, 100)         # of the second play
PAIRS = max(TRIES // 20, 60)            # of users and strangers
OWNER = "127.0.0.77"
WAITS = (1, 2, 4, 8, 16)                # then 30 s each (keyd/guesses.h)
HANDSHAKES = asyncio.Semaphore(50)      # at a time


def looked_at(seconds):
    """How many guesses of one client can have been answered in that time."""
    number, end = 3, 0
    while True:
        end += WAITS[number - 3] if number - 3 < len(WAITS) else 30
        if end > seconds:
            return number
        number += 1


class Session:
    """Inside TLS, EHLO said twice."""

    def __init__(self, port, address):
        self.port, self.address = port, address

    async def __aenter__(self):
        async with HANDSHAKES:
            self.reader, self.writer = await asyncio.open_connection(
                "127.0.0.1", self.port, ssl=trusting_all(),
                local_addr=(self.address, 0))
            await self.reply()
            await self.say("EHLO client.example")
        return self

    async def __aexit__(self, *_):
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except (OSError, ssl.SSLError):
            pass

    async def reply(self):
        while True:
            line = await self.reader.readline()
            if line[3:4] != b"-":
                return line[:3].decode()

    async def say(self, line):
        self.writer.write(line.encode() + b"\r\n")
        await self.writer.drain()
        return await self.reply()

    async def guess(self, user, password):
        return await self.say("AUTH PLAIN " + base64.b64encode(
            f"\0{user}\0{password}".encode()).decode())


class Guesses(unittest.TestCase):
    def setUp(self):
        self.hop = nexthop.NextHop()
        self.addCleanup(self.hop.close)
        self.relay = relay.Relay(self.hop.port, start=False, limits={
            "errors": 1000000, "connections_rate": "none",
            "connections": 5000})
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.relay.stop)
        submission.Submission(self.relay)
        line = passwords.crypt_line("u%d", "none of these")
        with open(self.relay.config["auth"]["passwords"], "a",
                  encoding="utf-8") as f:
            f.writelines(line % i for i in range(PAIRS))
        self.port, = basics.free_ports(1)
        self.relay.configure(listeners=[
            {"address": f"127.0.0.1:{self.port}", "service": "submission",
             "tls": "implicit"},
            {"address": f"127.0.0.1:{self.relay.port}"}])
        self.relay.start()
        self.seen = {}

    async def owner(self, is_over):
        """The user, from where he was let in before: how long he waits."""
        times = []
        while not is_over.is_set():
            async with Session(self.port, OWNER) as s:
                begun = time.monotonic()
                self.assertEqual(await s.guess(*submission.USER), "235")
                times.append(time.monotonic() - begun)
            await asyncio.sleep(0.2)
        return times

    async def beside_owner(self, plays):
        """Plays the guessers; the slowest of the owner's answers then."""
        is_over = asyncio.Event()
        async with Session(self.port, OWNER) as s:
            self.assertEqual(await s.guess(*submission.USER), "235")
        owner = asyncio.create_task(self.owner(is_over))
        try:
            await asyncio.gather(*plays)
        finally:
            is_over.set()
            times = await owner
        return max(times)

    def count(self, code):
        self.seen[code] = self.seen.get(code, 0) + 1

    def test_one_address(self):
        """Many connections of one client guess no faster than one."""
        async def guesser(number):
            async with Session(self.port, "127.0.0.10") as s:
                while sum(self.seen.values()) < TRIES:
                    self.count(await s.guess("ann", f"x{number}"))

        async def all_of_them():
            tasks = [asyncio.create_task(guesser(i)) for i in range(40)]
            while sum(self.seen.values()) < TRIES:
                await asyncio.sleep(0.05)
            # some wait for an answer that comes in half a minute
            for t in tasks:
                t.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        begun = time.monotonic()
        slowest = asyncio.run(self.beside_owner([all_of_them()]))
        self.assertLessEqual(set(self.seen), {"535", "454"})
        self.assertLessEqual(self.seen.get("535", 0), looked_at(
            time.monotonic() - begun))
        self.assertGreater(self.seen["454"], TRIES // 2)
        self.assertLess(slowest, 2)

    def test_many_addresses(self):
        """At one name: each is slowed down as one is, and none gets in."""
        tries = TRIES // CLIENTS
        taken = []

        async def guesser(number):
            address = f"127.1.{number // 250}.{1 + number % 250}"
            async with Session(self.port, address) as s:
                begun = time.monotonic()
                for i in range(tries):
                    self.count(await s.guess("ann", f"x{number}-{i}"))
                taken.append(time.monotonic() - begun)
        slowest = asyncio.run(self.beside_owner(
            [guesser(i) for i in range(CLIENTS)]))
        self.assertLessEqual(set(self.seen), {"535", "454"})
        self.assertEqual(sum(self.seen.values()), CLIENTS * tries)
        self.assertGreater(self.seen["535"], CLIENTS)
        self.assertLess(slowest, 5)
        if tries > 3 and "454" not in self.seen:
            self.assertGreaterEqual(min(taken), sum(WAITS[:tries - 3]))

    def test_strangers_look_like_users(self):
        """A name that is none costs what a user's does; within 5 percent in
        a long run, for a short one has few to tell by."""
        times = {"u": [], "v": []}

        async def all_of_them():
            for i in range(PAIRS):
                for first, name in ((2, "u"), (3, "v")):
                    address = f"127.{first}.{i // 250}.{1 + i % 250}"
                    async with Session(self.port, address) as s:
                        begun = time.monotonic()
                        self.assertEqual(await s.guess(f"{name}{i}", "x"),
                                         "535")
                        times[name].append(time.monotonic() - begun)
        asyncio.run(all_of_them())
        a, b = (statistics.median(t) for t in times.values())
        self.assertLess(abs(a - b), max(a, b) * (
            0.05 if TRIES >= 10000 else 0.3), (a, b))


if __name__ == "__main__":
    basics.main()
