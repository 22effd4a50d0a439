"""kill -9 at named points of accept -> deliver -> report (I-01, I-02, I-03,
T35, S5321-71): a part of them, spread evenly; `run-kills` does them all."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, kill_points, volume

BATCH = 6


def every(points, count):
    """COUNT of them, evenly spaced."""
    return [points[i * len(points) // count] for i in range(count)]


class KillPoints(unittest.TestCase):
    def kill(self, points):
        reached = kill_points.run(points, 1)
        self.assertEqual(reached, [str(p) for p in points])

    def test_one_process(self):
        points = [p for p in kill_points.points() if not p.is_all]
        for part in range(2):
            self.kill(every(points, 2 * BATCH)[part::2])

    def test_everything_at_once(self):
        self.kill(every([p for p in kill_points.points() if p.is_all],
                        BATCH))

    def test_there_are_enough(self):
        names = [str(p) for p in kill_points.points()]
        self.assertEqual(len(names), len(set(names)))
        self.assertGreaterEqual(len(names), 40)

    def test_the_accounts_see_a_loss(self):
        """What the accounts are worth: a message that vanishes is missed."""
        t = kill_points.Traffic()
        try:
            t.start()
            t.wait_flow()
            t.finish()
            t.relay.stop()
            t.check()
            n = next(n for n, count in enumerate(t.small.received.flags())
                     if count)
            for count in (0, 2):
                forged = bytearray(t.small.received.flags())
                forged[n] = count
                t.small.received.flags = lambda forged=forged: bytes(forged)
                with self.assertRaises(AssertionError):
                    t.check()
                del t.small.received.flags
            t.check()
        finally:
            t.close()


if __name__ == "__main__":
    volume.enter()
    basics.main()
