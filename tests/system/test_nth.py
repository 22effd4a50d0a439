"""Calls of whole processes that fail once, at random moments under load:
memory for the libraries, too (T39, I-06).  Nothing is lost, and nobody dies of
a signal: who can't go on ends and is started again.

MTAD_NTH is how often (16); tests/nth does the same call by call."""
import os
import random
import re
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, kill_points, volume

ROUNDS = int(os.environ.get("MTAD_NTH", "16"))
SEED = int(os.environ.get("MTAD_SEED", "1"))
CALLS = (("malloc none", "ENOMEM", 50), ("calloc none", "ENOMEM", 100),
         ("realloc none", "ENOMEM", 100), ("send *", "ENOBUFS", 100),
         ("recvmsg *", "ENOBUFS", 100), ("open *", "EMFILE", 3),
         ("socket none", "EMFILE", 1), ("epoll none", "EMFILE", 1))


class Nth(unittest.TestCase):
    def test_once(self):
        chance = random.Random(SEED)
        t = kill_points.Traffic()
        try:
            t.start()
            t.relay.kills = 1000
            struck = 0
            for _ in range(ROUNDS):
                t.wait_flow(20)
                call, name, among = chance.choice(CALLS)
                role = chance.choice(("queued", "smtpd", "deliverd"))
                t.shim.fail(f"{role} {call}", name,
                            chance.randrange(among) + 1, 1)
                end = time.monotonic() + 0.5
                while not t.shim.hits() and time.monotonic() < end:
                    time.sleep(0.01)
                struck += t.shim.hits()
                t.shim.cancel()
            t.wait_flow()
            t.finish()
            t.relay.stop()
            deaths = [line for line in t.relay.log().splitlines()
                      if " child_died " in line]
            # memory may have failed the history: it says what it lost
            result = t.check(may_lose_history=True)
            print(f"{struck} failures, {len(deaths)} processes ended: "
                  f"{result}", flush=True)
            for line in deaths:
                self.assertIsNone(re.search(r"signal=", line), line)
            self.assertGreater(struck, ROUNDS // 10)
        except BaseException:
            print(t.relay.log_tail())
            raise
        finally:
            t.close()


if __name__ == "__main__":
    volume.enter()
    basics.main()
