"""Plays one scenario: the world, the story with its faults, the quiet afterwards, the checks."""

import contextlib
import shutil
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.chaos.clerk import Clerk
from tests.chaos.crew import Crew
from tests.chaos.ground import Eyes, Ground
from tests.chaos.habits import habits
from tests.chaos.ledger import Ledger, Page
from tests.chaos.saboteur import Saboteur
from tests.chaos.scenarios import FaultKind, Scenario
from tests.chaos.shop import Shop
from tests.chaos.tap import TappedLoopback
from tests.chaos.verdict import LEASES, OPEN_ACTIONS, OPEN_RUNS, Sort, Verdict, Violation
from tests.features.stores import STORES

LEASE_SECONDS = 7.0
_HTTP_SECONDS = 5.9
_QUIET_SECONDS = 90.0
_POLL_SECONDS = 0.05
_OPERATIONS = ("GET_ORDERS", "PUBLISH_LISTINGS", "SYNC_LISTINGS", "SYNC_ORDERS")


@dataclass(slots=True)
class Outcome:
    """What came of a scenario."""

    scenario: Scenario
    violations: list[Violation] = field(default_factory=list)
    struck: Counter[FaultKind] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)
    """Seconds from the end of a worker that held a lease to its work going on."""
    seconds: float = 0.0
    story: list[str] = field(default_factory=list)
    log: Path | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """A scenario at its end, before anything is taken down."""

    ledger: Ledger
    shops: Sequence[Shop]
    verdict: Verdict


def play(
    scenario: Scenario,
    ground: Ground,
    folder: Path,
    *,
    afterwards: Callable[[Stage], None] = lambda _stage: None,
) -> Outcome:
    """Play a scenario and judge it; what the processes logged is kept where it failed.

    `afterwards` may look at the stage, or spoil it, when everything has been judged.
    """
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    outcome = Outcome(scenario)
    try:
        with (
            ground.database() as url,
            TappedLoopback() as loopback,
            contextlib.ExitStack() as stack,
        ):
            played = _Play(outcome, ground, folder, url, loopback, stack)
            try:
                played.all(afterwards)
            finally:
                played.tell_faults()
    except Exception:  # noqa: BLE001 - a scenario that breaks off is one more finding
        text = f"the scenario broke off: {traceback.format_exc()}"
        outcome.violations.append(Violation(Sort.STUCK, text))
    outcome.seconds = time.monotonic() - began
    if outcome.violations:
        outcome.log = folder
        said = [f"{each.sort}: {each.text}" for each in outcome.violations]
        (folder / "report.txt").write_text("\n".join([*said, *outcome.story]) + "\n")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


class _Play:
    def __init__(
        self,
        outcome: Outcome,
        ground: Ground,
        folder: Path,
        url: str,
        loopback: TappedLoopback,
        stack: contextlib.ExitStack,
    ) -> None:
        self._scenario = scenario = outcome.scenario
        self._outcome = outcome
        self._eyes = Eyes(url)
        stack.callback(self._eyes.close)
        environment = _environment(ground, url, scenario)
        crew = stack.enter_context(Crew(folder, environment, scenario.workers))
        self._ledger = Ledger()
        self._began = time.monotonic()
        self._shops: list[Shop] = []
        for number, platform in enumerate(scenario.platforms):
            dice = Random(f"{scenario.seed}:{number}")  # noqa: S311 - to be told again
            chosen = habits(platform, dice, is_doubling=scenario.is_doubling)
            store = STORES[platform](loopback, **chosen.options)
            stack.callback(store.close)
            page = Page(f"{platform}-{number}", scenario.buffers[number])
            self._ledger.pages.append(page)
            clerk = Clerk(crew.url, ground.token, page.name)
            stack.callback(clerk.close)
            self._shops.append(
                Shop(
                    store=store,
                    habits=chosen,
                    clerk=clerk,
                    eyes=self._eyes,
                    ledger=self._ledger,
                    page=page,
                    dice=dice,
                    folder=folder,
                    tell=self._tell,
                )
            )
        self._saboteur = Saboteur(
            ground=ground,
            crew=crew,
            shops=self._shops,
            taps=loopback.taps,
            database_url=url,
            lease=LEASE_SECONDS,
            tell=self._tell,
        )

    def _tell(self, text: str) -> None:
        self._outcome.story.append(f"{time.monotonic() - self._began:6.2f} {text}")

    # --- the whole

    def all(self, afterwards: Callable[[Stage], None]) -> None:
        """From the empty stores to the verdict."""
        self._prepare()
        self._tell("prepared")
        goods = {each.sku: each for each in self._scenario.goods}
        for number, step in enumerate(self._scenario.steps):
            for fault in self._scenario.faults:
                if fault.at == number:
                    self._tell(f"armed: {fault}")
                    self._saboteur.arm(fault)
            self._tell(
                f"{step.kind} [{step.shop}] {step.unit or step.listing} {step.amount} {step.number}"
            )
            self._shops[step.shop].take(step, goods[step.listing])
            time.sleep(step.pause)
        verdict = Verdict(self._ledger, self._shops, self._eyes)
        if self._finish(verdict):
            afterwards(Stage(self._ledger, self._shops, verdict))

    def tell_faults(self) -> None:
        """Keep what struck, however the scenario ended."""
        self._saboteur.end()
        self._outcome.struck = +self._saboteur.struck
        self._outcome.recoveries = self._saboteur.recoveries

    def _prepare(self) -> None:
        for number, shop in enumerate(self._shops):
            for goods in self._scenario.goods:
                shop.stock_up(goods, is_there=goods.is_there[number])
            shop.open()
            for goods in self._scenario.goods:
                if not goods.late[number]:
                    shop.list(goods)
            for _ in range(self._scenario.early_orders[number]):
                shop.buy()
            shop.run("LINK_LISTINGS", full=True)
            shop.run("GET_ORDERS")
        if not self._is_quiet():
            raise AssertionError(f"it did not come to rest before any fault: {self._open()}")

    def _finish(self, verdict: Verdict) -> bool:
        """Let it come to rest without full runs, then with them, and judge both."""
        # What is armed may still strike here; of two calm rounds the first may end with what the
        # faults left, the second finds it all.
        if not self._run_all(full=False):
            return False
        self._saboteur.end()
        for _ in range(2):
            if not self._run_all(full=False):
                return False
        self._tell("quiet after partial runs")
        self._outcome.violations += verdict.partly()
        if not self._run_all(full=True):
            return False
        self._tell("quiet after full runs")
        self._outcome.violations += verdict.all()
        last = self._eyes.value("SELECT coalesce(max(id), 0) FROM actions")
        if not self._run_all(full=True):
            return False
        self._outcome.violations += verdict.unsettled(last)
        self._saboteur.join()
        self._outcome.violations += [
            Violation(Sort.STUCK, text) for shop in self._shops for text in shop.clerk.findings
        ]
        return True

    def _run_all(self, *, full: bool) -> bool:
        for operation in _OPERATIONS:
            for shop in self._shops:
                shop.run(operation, full=full)
            if full and not self._rests(f"after {operation}"):
                return False
        return self._rests("after partial runs")

    def _rests(self, when: str) -> bool:
        if self._is_quiet():
            return True
        text = f"not quiet {_QUIET_SECONDS:.0f} s {when}: {self._open()}"
        self._outcome.violations.append(Violation(Sort.STUCK, text))
        return False

    def _is_quiet(self) -> bool:
        deadline = time.monotonic() + _QUIET_SECONDS
        while time.monotonic() < deadline:
            if not self._open():
                return True
            for shop in self._shops:
                shop.renew()
            time.sleep(_POLL_SECONDS)
        return False

    def _open(self) -> Sequence[object]:
        return [
            dict(row)
            for statement in (OPEN_RUNS, OPEN_ACTIONS, LEASES)
            for row in self._eyes.rows(statement)
        ]


def _environment(ground: Ground, url: str, scenario: Scenario) -> Mapping[str, str]:
    return {
        "TALLYPORT_DATABASE_URL": url,
        "TALLYPORT_REDIS_URL": ground.services.redis_url,
        "TALLYPORT_SECRET_KEYS": ground.secret_key,
        "TALLYPORT_ALLOWED_HOSTS": "127.0.0.1",
        "TALLYPORT_LEASE_SECONDS": str(LEASE_SECONDS),
        "TALLYPORT_HTTP_TIMEOUT_SECONDS": str(_HTTP_SECONDS),
        "TALLYPORT_SLICE_SECONDS": "2",
        "TALLYPORT_SWEEP_SECONDS": "0.3",
        "TALLYPORT_SETTLE_SECONDS": str(scenario.settle),
    }
