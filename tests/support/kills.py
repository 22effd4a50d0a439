"""Kills of one process after the other under load, and the accounts."""
import os
import random
import time

from . import basics, history, load, relay

# Repeats need a next hop's final reply that deliverd never saw or could not
# pass on: only the death of deliverd, or of everything, may cause them.
MAY_REPEAT = ("deliverd", "mtad")
SESSIONS = 60
BATCH = 6
CONNECTIONS = 20
# A connection has a message whose reply is on its way here, one behind it
# whose end left with it, and one whose verdict is on its way to queued.
PER_KILL = 3 * CONNECTIONS


def one_round(r, work, victim, chance):
    """Waits for load, kills, waits until mail flows again."""
    before = work.acked()
    basics.wait_for("load", lambda: work.acked() > before + 20 and
                    work.in_flight() >= 50)
    time.sleep(chance.random() * 0.3)
    flying = work.in_flight()
    if victim == "mtad":
        r.kill("mtad")
        basics.wait_for("the children end by themselves",
                        lambda: not r.session())
        r.process.wait()
        r.start()
        r.kills = 1000      # what they say while they end does not matter
    else:
        r.kill(victim)
    acked, arrived = work.acked(), work.arrived()
    basics.wait_for("mail is accepted again",
                    lambda: work.acked() > acked + 50)
    basics.wait_for("mail is delivered again",
                    lambda: work.arrived() > arrived + 20)
    return flying


def check_history(r, work, victim):
    """It agrees with the accounts of generator and sink: every message that
    was acknowledged has one end, and what arrived twice was in doubt."""
    spool = os.path.join(r.folder, "spool")
    told = history.check(spool)
    assert told["delivered"] == told["accepted"] >= work.acked(), told
    history.check_repeats(history.Ledger(spool), work.arrivals())
    if victim not in MAY_REPEAT:
        assert told["in_doubt"] == 0, told


def run(victim, rounds, seed, report=print):
    """Kills the victim that often, a new instance for each batch: a process
    that dies again and again is started later and later."""
    for i, done in enumerate(range(0, rounds, BATCH)):
        run_batch(victim, min(BATCH, rounds - done), seed + i, report)


def run_batch(victim, rounds, seed, report):
    """Raises when anything is lost, corrupt, or repeated without excuse."""
    chance = random.Random(seed)
    r = relay.Relay(start=False, limits={"connections_per_client": 500},
                    deliver={"connections": CONNECTIONS},
                    log={"level": "warning"})
    work = load.Load(r.folder, "kills", delay_ms=1)
    try:
        # dnsd must be needed, or its death proves nothing
        host = "localhost" if victim == "dnsd" else "127.0.0.1"
        r.configure(routes=[{"to": "*",
                             "via": f"smtp://{host}:{work.port}"}])
        r.start()
        work.start(r.port, SESSIONS)
        flying = [one_round(r, work, victim, chance) for _ in range(rounds)]
        work.finish()
        r.retry("all")
        r.wait_empty(60)
        result = work.compare()
        report(f"{victim}: {rounds} kills, at least {min(flying)} in flight: "
               f"{result}", flush=True)
        for kind in ("lost", "phantom", "corrupt", "foreign"):
            assert result[kind] == 0, f"{kind}: {result}"
        allowed = rounds * PER_KILL if victim in MAY_REPEAT else 0
        assert result["repeated"] <= allowed, f"repeated: {result}"
        assert min(flying) >= 50
        r.stop()
        check_history(r, work, victim)
    except BaseException:
        report(r.log_tail())
        raise
    finally:
        work.close()
        r.remove()
