"""kill -9 of each process under load (I-01, I-02, I-03, T35, S5321-71):
whatever was acknowledged arrives, nothing is corrupt, nothing arrives that
was refused, and only the death of deliverd may repeat a delivery.

`run-kills ROUNDS` does the same for longer."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, kills

ROUNDS = int(os.environ.get("MTAD_KILLS", "2" if basics.IS_SANITIZED else
                            "6"))
SEED = int(os.environ.get("MTAD_SEED", "35"))


class Kills(unittest.TestCase):
    def test_queued(self):
        kills.run("queued", ROUNDS, SEED)

    def test_smtpd(self):
        kills.run("smtpd", ROUNDS, SEED)

    def test_deliverd(self):
        kills.run("deliverd", ROUNDS, SEED)

    def test_dnsd(self):
        kills.run("dnsd", ROUNDS, SEED)

    def test_parent(self):
        """And the start after a death of everything at once."""
        kills.run("mtad", ROUNDS, SEED)


if __name__ == "__main__":
    basics.main()
