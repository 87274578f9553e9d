"""Carries out the faults of a scenario, and keeps what really struck."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from tallyport.client import RefusedError
from tallyport.services import Server
from tests.chaos.crew import Crew
from tests.chaos.ground import Eyes, Ground
from tests.chaos.scenarios import PROCESS_FAULTS, Fault, FaultKind, Moment
from tests.chaos.shop import Shop
from tests.chaos.tap import Tap, Trap

_POLL_SECONDS = 0.02
_RECOVERY_SECONDS = 60.0
_NOTICED_SECONDS = 4.0

_ORDERS: Mapping[FaultKind, Mapping[str, Any]] = {
    FaultKind.TIMEOUT_BEFORE: {"effect": "timeout_before"},
    FaultKind.TIMEOUT_AFTER: {"effect": "timeout_after"},
    FaultKind.PARTLY: {"effect": "partly"},
    FaultKind.LATE: {"effect": "late"},
    FaultKind.RATE_LIMITED: {"effect": "status", "status": 429, "headers": {"Retry-After": "1"}},
    FaultKind.STATUS_500: {"effect": "status", "status": 500},
    FaultKind.STATUS_500_AFTER: {"effect": "status", "status": 500, "after": True},
    FaultKind.STATUS_503: {"effect": "status", "status": 503, "headers": {"Retry-After": "1"}},
    FaultKind.HTML: {"effect": "html"},
    FaultKind.GARBAGE: {"effect": "garbage"},
    FaultKind.REPEAT_PAGE: {"effect": "repeat_page"},
    FaultKind.CUT_PAGE: {"effect": "cut_page"},
    FaultKind.EMPTY: {"effect": "empty"},
    FaultKind.RESET: {"effect": "reset"},
    FaultKind.TWICE: {"effect": "twice"},
}
"""Faults of requests, in the words of every simulator's `/_faults`."""

_TIMED = frozenset({FaultKind.TIMEOUT_BEFORE, FaultKind.TIMEOUT_AFTER, FaultKind.LATE})
_SPOILED_AFTER = frozenset({FaultKind.HTML, FaultKind.GARBAGE})


class Saboteur:
    """One scenario's faults: armed with a step, they strike when their moment has come."""

    def __init__(
        self,
        *,
        ground: Ground,
        crew: Crew,
        shops: Sequence[Shop],
        taps: Sequence[Tap],
        database_url: str,
        lease: float,
        tell: Callable[[str], None],
    ) -> None:
        self._ground = ground
        self._crew = crew
        self._shops = shops
        self._taps = taps
        self._url = database_url
        self._lease = lease
        self._tell = tell
        self._lock = threading.Lock()
        self._armed: list[list[tuple[FaultKind, int]]] = [[] for _ in shops]
        """Faults in each store's hands, in its order."""
        self._timers: list[threading.Timer] = []
        self._watchers: list[threading.Thread] = []
        self.struck: Counter[FaultKind] = Counter()
        self.recoveries: list[float] = []
        """Seconds from the end of a worker that held a lease to its work going on."""

    # --- arming

    def arm(self, fault: Fault) -> None:
        """Make a fault ready."""
        if fault.kind is FaultKind.KEY_REVOKED:
            self._revoke(fault)
        elif fault.kind in PROCESS_FAULTS:
            self._arm_process(fault)
        else:
            self._arm_request(fault)

    def _arm_request(self, fault: Fault) -> None:
        order = dict(_ORDERS[fault.kind])
        if fault.kind in _TIMED:
            order["seconds"] = fault.seconds
        if fault.kind in _SPOILED_AFTER and fault.is_known:
            order["after"] = True
        match: dict[str, Any] = {"nth": fault.nth, "times": fault.times}
        if fault.method is not None:
            match["method"] = fault.method
        if fault.kind is FaultKind.PARTLY:
            match["path_contains"] = self._shops[fault.shop].habits.batch
        self._shops[fault.shop].store.fault(match=match, **order)
        with self._lock:
            self._armed[fault.shop].append((fault.kind, fault.times))

    def _arm_process(self, fault: Fault) -> None:
        def strike() -> None:
            self._strike(fault)

        if fault.moment is Moment.SOON:
            timer = threading.Timer(max(0.0, abs(fault.seconds) % 1.0), strike)
            timer.daemon = True
            self._timers.append(timer)
            timer.start()
            return
        after_work = fault.moment is Moment.ANSWER
        trap = Trap(strike, fault.nth, fault.method, after_work=after_work)
        for tap in self._taps:
            tap.lay(trap)

    # --- striking

    def _strike(self, fault: Fault) -> None:
        match fault.kind:
            case FaultKind.KILL_WORKER:
                done = self._kill_worker(fault)
            case FaultKind.KILL_SERVER:
                done = self._crew.kill_server()
            case FaultKind.KILL_VALKEY:
                done = self._ground.kill(Server.VALKEY)
            case FaultKind.KILL_POSTGRES:
                done = self._ground.kill(Server.POSTGRES)
            case FaultKind.STOP_WORKER:
                done = self._crew.stop_worker(self._holder()[0], self._lease + 1.5)
            case FaultKind.CLOCK_JUMP:
                self._crew.jump(fault.seconds)
                done = True
            case _:
                raise AssertionError(f"{fault.kind} befalls requests")
        self._note(fault, done=done)

    def _note(self, fault: Fault, *, done: bool) -> None:
        with self._lock:
            self.struck[fault.kind] += done
        self._tell(f"struck: {fault.kind}{'' if done else ' (nobody there)'}")

    def _holder(self) -> tuple[str | None, int, str, int]:
        """Who holds a lease now: holder, channel, side, epoch."""
        eyes = Eyes(self._url)
        try:
            rows = eyes.rows(
                "SELECT holder, channel_id, side, epoch FROM leases"
                " WHERE expires_at > clock_timestamp() ORDER BY expires_at DESC LIMIT 1",
                patience=0.5,
            )
        except Exception:  # noqa: BLE001 - the database may have been killed a moment ago
            rows = []
        finally:
            eyes.close()
        if not rows:
            return None, 0, "", 0
        row = rows[0]
        return row["holder"], row["channel_id"], row["side"], row["epoch"]

    def _kill_worker(self, fault: Fault) -> bool:
        holder, channel_id, side, epoch = self._holder()
        pause = min(fault.seconds, 0.3)
        name = self._crew.kill_worker(holder, pause=pause, is_known=fault.is_known)
        if name is None:
            return False
        if name == holder:
            killed_at = time.monotonic()
            watcher = threading.Thread(
                target=self._watch, args=(channel_id, side, epoch, killed_at), daemon=True
            )
            self._watchers.append(watcher)
            watcher.start()
        return True

    def _watch(self, channel_id: int, side: str, epoch: int, killed_at: float) -> None:
        """Measure how long it takes until another holder goes on with the work."""
        eyes = Eyes(self._url)
        try:
            while (passed := time.monotonic() - killed_at) < _RECOVERY_SECONDS:
                taken = eyes.value(
                    "SELECT count(*) FROM leases"
                    " WHERE channel_id = $1 AND side = $2 AND epoch > $3",
                    channel_id,
                    side,
                    epoch,
                )
                if taken:
                    with self._lock:
                        self.recoveries.append(passed)
                    return
                time.sleep(_POLL_SECONDS)
            with self._lock:
                self.recoveries.append(passed)
        finally:
            eyes.close()

    def _revoke(self, fault: Fault) -> None:
        """The key opens nothing; after a while the operator enters a new one."""
        shop = self._shops[fault.shop]
        self._heal(fault.shop)
        shop.store.fault("status", status=401, body=shop.habits.refusal, match={"times": None})
        with self._lock:
            self._armed[fault.shop].append((fault.kind, 1))
        with contextlib.suppress(RefusedError):  # noticed already
            shop.clerk.run("GET_ORDERS")
        deadline = time.monotonic() + _NOTICED_SECONDS
        while not any(self._done(fault.shop)) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        time.sleep(fault.seconds)
        self._heal(fault.shop)
        shop.was_revoked = True
        shop.renew()

    # --- ending

    def _heal(self, number: int) -> None:
        """No more faults of requests; what struck so far is counted."""
        with self._lock:
            armed, self._armed[number] = self._armed[number], []
        for (kind, times), done in zip(armed, self._done(number), strict=False):
            self.struck[kind] += min(done, times)
        self._shops[number].store.heal()

    def _done(self, number: int) -> list[int]:
        url = self._shops[number].store.url
        rows = httpx.get(f"{url}/_faults", timeout=20.0).json()["faults"]
        return [int(row["done"]) for row in rows]

    def end(self) -> None:
        """Nothing strikes any more; waits for the watch over recoveries to end."""
        for tap in self._taps:
            tap.clear()
        for timer in self._timers:
            timer.join(2.0)
            timer.cancel()
        for number in range(len(self._shops)):
            self._heal(number)

    def join(self) -> None:
        """Wait until every recovery was seen."""
        for watcher in self._watchers:
            watcher.join(_RECOVERY_SECONDS)
