"""The wall clock is set while mail waits, by an hour and by ten years, forward
and back, and over restarts: no mass retry, no mass bounce, nothing stranded."""
import os
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, relay, volume, wall

HOUR, YEARS = 3600, 3652 * 86400
COUNT = 20
LATER = b"451 4.2.1 later\r\n"


class Clock(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mtad-test.")
        self.addCleanup(shutil.rmtree, self.folder, True)
        os.chmod(self.folder, 0o755)
        self.wall = wall.Wall(self.folder)
        self.addCleanup(self.wall.close)
        self.hop = nexthop.NextHop(RCPT=LATER)
        self.addCleanup(self.hop.close)
        self.relay = relay.Relay(self.hop.port, folder=self.folder,
                                 queue={"first_retry": "30m",
                                        "max_retry": "30m", "warn": "40m"})
        self.addCleanup(self.relay.remove)
        for i in range(COUNT):
            self.relay.send(to=f"r{i}@served.example")
        self.relay.wait_count(COUNT, "state:deferred")
        self.tried = self.attempts()

    def tearDown(self):
        if self._outcome.success:
            self.relay.stop()
        else:
            print(self.relay.log_tail())

    def attempts(self):
        return self.relay.log().count(" deferred ")

    def check_calm(self):
        """All of it waits, none was tried again or told of."""
        time.sleep(1.5)                 # within a second it is noticed
        self.assertEqual(self.relay.count("state:deferred"), COUNT)
        self.assertEqual(self.relay.count("age>10m"), 0)
        self.assertEqual(self.attempts(), self.tried)
        self.assertNotIn(" reported ", self.relay.log())

    def restart(self):
        self.relay.stop()
        self.relay.start()

    def test_set_while_it_runs(self):
        jumps = 0
        for to in (HOUR, -HOUR, YEARS, -YEARS, 0):
            with self.subTest(to=to):
                self.wall.set(to)
                jumps += 1
                self.check_calm()
                self.assertEqual(self.relay.log().count(" clock_jumped "),
                                 jumps)
                # an operator sees today's clock
                row = self.relay.list("all")[0]
                year = time.gmtime(time.time() + to).tm_year
                self.assertTrue(row["arrived"].startswith(str(year)), row)
        self.restart()
        self.check_calm()

    def test_set_and_started_again(self):
        for to in (YEARS, HOUR, 0):
            with self.subTest(to=to):
                self.wall.set(to)
                self.check_calm()
                self.restart()
                self.check_calm()
                self.relay.kill("queued")
                basics.wait_for("queued is back", lambda: self.relay.try_ctl(
                    "queue", "count").returncode == 0)
                self.check_calm()
        self.hop.script = {}
        self.relay.retry()
        self.relay.wait_empty()
        self.assertEqual(len(self.hop.messages), COUNT)

    def test_set_back_during_a_stop(self):
        self.relay.stop()
        self.wall.set(-YEARS)
        self.relay.start()
        self.check_calm()
        self.wall.set(0)
        self.check_calm()

    def test_a_stop_of_years(self):
        """All of it is too old: each has an attempt, and only what fails then
        is returned."""
        failing = 3
        self.relay.stop()
        self.hop.script = {"RCPT": [LATER] * failing + [None]}
        self.wall.set(YEARS)
        self.relay.start()
        basics.wait_for("the others arrive",
                        lambda: len(self.hop.messages) >= COUNT)
        self.relay.wait_empty()
        reports = [m for m in self.hop.messages if not m.sender]
        self.assertEqual(len(reports), failing)
        self.assertEqual(len(self.hop.messages), COUNT)


if __name__ == "__main__":
    volume.enter()
    basics.main()
