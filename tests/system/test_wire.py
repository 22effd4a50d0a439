"""The dialogues of wire/*.txt, played against mtad whole and byte by byte;
or, with the argument `postfix`, against a private Postfix, which must fail
where it is known to."""
import glob
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, dialogue, nexthop, postfix, relay

FILES = sorted(glob.glob(os.path.join(os.path.dirname(__file__),
                                      "wire/*.txt")))
ALL = "MTAD_LONG" in os.environ
LIMITS = {"message": 100000, "recipients": 100, "errors": 1000}


def play(file, port, hop, size, blocks=None):
    """The blocks that failed, of these or of all, with their errors."""
    failed = []
    for block in dialogue.read(file) if blocks is None else blocks:
        try:
            dialogue.Player(port, hop, size).play(block)
        except AssertionError as e:
            failed.append((block, e))
    return failed


class Wire(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hop = nexthop.NextHop()
        cls.relay = relay.Relay(cls.hop.port, limits=LIMITS)

    @classmethod
    def tearDownClass(cls):
        cls.relay.stop()
        cls.relay.remove()
        cls.hop.close()

    def check(self, size):
        for file in FILES:
            for block, error in play(file, self.relay.port, self.hop, size):
                with self.subTest(os.path.basename(file), block=str(block)):
                    self.fail(str(error))

    def test_whole_writes(self):
        self.check(0)

    def test_small_segments(self):
        self.check(7)

    def test_single_bytes(self):
        self.check(1)


class Postfix(unittest.TestCase):
    """The test of the test: what Postfix is known to get wrong is found.
    MTAD_LONG=1 plays the others, too, and prints what else it fails."""

    def test_known_failures_are_found(self):
        if not postfix.is_there():
            self.skipTest("no private Postfix (bench/get-peers.sh), no root")
        with nexthop.NextHop() as hop, postfix.Postfix(
                relayhost=f"[127.0.0.1]:{hop.port}",
                message_size_limit=100000, mynetworks="127.0.0.1/32",
                relay_domains="served.example",
                smtpd_junk_command_limit=1000,
                smtpd_soft_error_limit=1000,
                smtpd_hard_error_limit=1000) as server:
            for file in FILES:
                expected = [block for block in dialogue.read(file)
                            if block.fails_postfix]
                failed = dict(play(file, server.port, hop, 0,
                                   None if ALL else expected))
                print(f"{os.path.basename(file)}: Postfix fails "
                      f"{sorted(block.ids for block in failed)}")
                known = [block for block in failed if block.fails_postfix]
                self.assertEqual([str(b) for b in known],
                                 [str(b) for b in expected])


if __name__ == "__main__":
    which = "Postfix" if "postfix" in sys.argv[1:] else "Wire"
    sys.argv = [a for a in sys.argv if a != "postfix"]
    if len(sys.argv) == 1:
        sys.argv.append(which)
    basics.main()
