"""`make chaos SEEDS=n`: many scenarios with real processes, and the figures at the end.

`python -m tests.chaos --seeds N [--first F] [--jobs J] [--minutes M]` plays N seeds; `--seed S`
plays one again.
"""

import argparse
import queue
import signal
import sys
import tempfile
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cryptography.fernet import Fernet

from tallyport.logs import configure_logs
from tests.chaos.figures import Figures
from tests.chaos.ground import Ground
from tests.chaos.habits import platforms
from tests.chaos.scenarios import draw
from tests.chaos.story import LEASE_SECONDS, Outcome, play


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _show(outcome: Outcome, *, with_story: bool) -> None:
    faults = ", ".join(f"{number} x {kind}" for kind, number in sorted(outcome.struck.items()))
    fate = "ok" if not outcome.violations else f"{len(outcome.violations)} VIOLATIONS"
    seed, shops = outcome.scenario.seed, " + ".join(outcome.scenario.platforms)
    _say(f"seed {seed} {shops}: {fate} in {outcome.seconds:.1f} s ({faults})")
    for violation in outcome.violations:
        _say(f"  {violation.sort}: {violation.text}")
    if outcome.violations or with_story:
        for line in outcome.story:
            _say(f"    {line}")
    if outcome.violations:
        _say(f"  log: {outcome.log}; again: python -m tests.chaos --seed {seed}")


def main() -> int:
    """Play the scenarios; 1 where anything went wrong."""
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many scenarios")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seed", type=int, help="only this seed, again")
    parser.add_argument("--jobs", type=int, default=3, help="scenarios at a time")
    parser.add_argument("--minutes", type=float, help="start no more scenarios after so long")
    parser.add_argument("--story", action="store_true", help="print every story")
    chosen = parser.parse_args()
    configure_logs("warning")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    seeds = [*range(chosen.first, chosen.first + chosen.seeds)]
    if chosen.seed is not None:
        seeds = [chosen.seed]
    figures = Figures(LEASE_SECONDS)
    began = time.monotonic()
    ends_at = began + (float("inf") if chosen.minutes is None else chosen.minutes * 60)
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for seed in seeds:
        waiting.put(seed)
    speaking = threading.Lock()

    def job() -> None:
        run = f"tallyport-chaos-{uuid.uuid4().hex[:8]}"
        folder = Path(tempfile.gettempdir()) / run
        with Ground(folder, Fernet.generate_key().decode()) as ground:
            while time.monotonic() < ends_at:
                try:
                    seed = waiting.get_nowait()
                except queue.Empty:
                    return
                logs = folder.with_name(f"{run}-seed-{seed}")
                outcome = play(draw(seed, platforms()), ground, logs)
                with speaking:
                    _show(outcome, with_story=chosen.story)
                    figures.add(outcome)

    with ThreadPoolExecutor(max_workers=chosen.jobs) as pool:
        jobs = [pool.submit(job) for _ in range(min(chosen.jobs, len(seeds)))]
    for each in jobs:
        each.result()
    _say(f"{time.monotonic() - began:.0f} seconds")
    for line in figures.lines():
        _say(line)
    return 0 if figures.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
