"""Processes that stand still for a while, get no processor, or no descriptor
more: the others go on or wait, nothing is lost or doubled, nobody is started
anew, and all is well when it is over (I-03, I-06, T39, T40).

MTAD_STOP is for how many seconds (1)."""
import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import kill_points, volume
from support import basics

SECONDS = float(os.environ.get("MTAD_STOP", "1"))


class Stops(unittest.TestCase):
    def setUp(self):
        self.traffic = kill_points.Traffic()
        self.addCleanup(self.traffic.close)
        self.traffic.start()
        self.traffic.wait_flow()

    def pids(self, name):
        found = []
        for pid in self.traffic.relay.session():
            with open(f"/proc/{pid}/comm", encoding="utf-8") as f:
                if f.read().strip() == name:
                    found.append(pid)
        return found

    def finish(self, deaths=0, may_lose_history=False):
        t = self.traffic
        t.wait_flow()
        t.finish()
        t.relay.stop()
        print(t.check(may_lose_history), flush=True)
        self.assertEqual(t.relay.log().count(" child_died "), deaths)

    def test_each_stands_still(self):
        for name in ("queued", "deliverd", "smtpd", "dnsd", "fetchd", "keyd",
                     "mtad"):
            with self.subTest(name=name):
                for pid in self.pids(name):
                    os.kill(pid, signal.SIGSTOP)
                time.sleep(SECONDS)
                for pid in self.pids(name):
                    os.kill(pid, signal.SIGCONT)
                self.traffic.wait_flow()
        self.finish()

    def test_no_processor(self):
        """Each gets next to nothing, beside others that take it all."""
        hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"])
                for _ in range(2 * os.cpu_count())]
        try:
            for pid in self.traffic.relay.session():
                os.setpriority(os.PRIO_PROCESS, pid, 19)
            time.sleep(SECONDS)
            for pid in self.traffic.relay.session():
                os.setpriority(os.PRIO_PROCESS, pid, 0)
        finally:
            for hog in hogs:
                hog.kill()
                hog.wait()
        self.finish()

    def test_no_descriptor_more(self):
        """queued makes no file, deliverd no connection, smtpd takes no
        client more than it has, the parent no channel."""
        t = self.traffic
        for points in (("queued open *",), ("deliverd socket none",),
                       ("smtpd accept net",), ("mtad socket none",)):
            with self.subTest(points=points):
                for slot, point in enumerate(points):
                    t.shim.fail(point, "EMFILE", slot=slot)
                if "mtad" in points[0]:     # it needs one for a new child
                    t.relay.kills = 1
                    kill_points.kill(t.relay, "dnsd")
                time.sleep(SECONDS)
                for slot in range(len(points)):
                    t.shim.cancel(slot)
                t.wait_flow()
        deaths = [line for line in t.relay.log().splitlines()
                  if " child_died " in line]
        self.assertEqual(len(deaths), 1, deaths)
        self.finish(deaths=1, may_lose_history=True)


if __name__ == "__main__":
    volume.enter()
    basics.main()
