"""What happens in a scenario, drawn from a seed: the goods, the story, the faults. Pure.

A seed always gives the same scenario. What depends on the moment (which order is there to be
shipped) is chosen when it is played, by dice of the same seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from random import Random


class StepKind(StrEnum):
    """What somebody does: the operator, a shopper, the merchant in the store's back office."""

    PRICE = "price"
    QUANTITY = "quantity"
    HIDE = "hide"
    UNHIDE = "unhide"
    DELIST = "delist"
    ADD = "add"
    PUBLISH = "publish"
    SYNC = "sync"
    SYNC_ALL = "sync all"
    GET_ORDERS = "get orders"
    SYNC_ORDERS = "sync orders"
    BUY = "buy"
    SHIP = "ship"
    CANCEL = "cancel"
    THEIR_PRICE = "their price"
    THEIR_DELETE = "their delete"
    THEIR_EDIT = "their edit of an order"
    IMPORT = "import"


class FaultKind(StrEnum):
    """Everything that is made to fail, in the words of the report."""

    KILL_WORKER = "worker killed"
    KILL_SERVER = "server killed"
    KILL_VALKEY = "Valkey killed"
    KILL_POSTGRES = "PostgreSQL killed"
    STOP_WORKER = "worker stopped past its lease"
    CLOCK_JUMP = "clock jumped"
    KEY_REVOKED = "key revoked and renewed"
    TIMEOUT_BEFORE = "time-out before the effect"
    TIMEOUT_AFTER = "time-out after the effect"
    PARTLY = "time-out in the middle of a batch"
    LATE = "work done after the client left"
    RATE_LIMITED = "429"
    STATUS_500 = "500"
    STATUS_500_AFTER = "500 after the effect"
    STATUS_503 = "503"
    HTML = "HTML"
    GARBAGE = "truncated JSON"
    REPEAT_PAGE = "repeated page"
    CUT_PAGE = "cut page"
    EMPTY = "empty list with 200"
    RESET = "connection reset"
    TWICE = "doubled request"


PROCESS_FAULTS = frozenset(
    {
        FaultKind.KILL_WORKER,
        FaultKind.KILL_SERVER,
        FaultKind.KILL_VALKEY,
        FaultKind.KILL_POSTGRES,
        FaultKind.STOP_WORKER,
        FaultKind.CLOCK_JUMP,
    }
)
"""What befalls our own processes; the others befall requests to the store."""

_SMALL_JUMP = 60.0
_LISTS_ONLY = frozenset({FaultKind.REPEAT_PAGE, FaultKind.CUT_PAGE, FaultKind.EMPTY})
_WRITES_ONLY = frozenset({FaultKind.PARTLY, FaultKind.LATE, FaultKind.TIMEOUT_AFTER})
_WEIGHTS = {FaultKind.KILL_WORKER: 5, FaultKind.KILL_SERVER: 2, FaultKind.STOP_WORKER: 1}
"""How often a kind is drawn, beside 1 for the others."""


class Moment(StrEnum):
    """When a fault that befalls a process strikes."""

    REQUEST = "a request has arrived at the store"
    ANSWER = "the store has done its work and has not answered"
    SOON = "some milliseconds after the step"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: it is armed with a step and strikes at a point of its own."""

    kind: FaultKind
    at: int
    """The step it is armed with."""
    moment: Moment
    nth: int
    """Which request from then on."""
    method: str | None
    """Only requests of this method; None: any."""
    seconds: float
    """How long it lasts, or after how long it strikes."""
    times: int = 1
    shop: int = 0
    """A fault of requests befalls this store."""
    is_known: bool = False
    """KILL_WORKER: whoever starts the next one knows that this one is dead."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing somebody does in one shop; `unit` and `listing` name goods."""

    kind: StepKind
    pause: float
    shop: int = 0
    listing: str = ""
    unit: str = ""
    amount: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class Unit:
    """One sellable thing."""

    sku: str
    option: str
    price: str
    quantity: int | None
    """Stated by us; None: no statement."""


@dataclass(frozen=True, slots=True)
class Goods:
    """One listing of ours, on the store from the start or not."""

    sku: str
    units: Sequence[Unit]
    is_there: Sequence[bool]
    """For each shop."""
    late: Sequence[bool] = ()
    """For each shop: only listed by an ADD step."""

    @property
    def has_options(self) -> bool:
        """Whether it comes in sizes."""
        return self.units[0].option != ""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole scenario."""

    seed: int
    platforms: Sequence[str]
    """Of each shop."""
    goods: Sequence[Goods]
    steps: Sequence[Step]
    faults: Sequence[Fault]
    workers: int
    buffers: Sequence[int]
    settle: float
    """Seconds after which the store surely has ended what it was asked for."""
    is_doubling: bool = False
    """Requests are doubled on their way: then each has to carry a mark that serves once."""
    early_orders: Sequence[int] = field(default=())
    """Orders on each store before the channel is connected."""


def draw(
    seed: int, platforms: Sequence[str], kinds: Sequence[FaultKind] = tuple(FaultKind)
) -> Scenario:
    """The scenario of a seed; `kinds` limits what is made to fail.

    Every platform has its turn as the first shop; a second shop sells the same goods.
    """
    dice = Random(f"scenario {seed}")  # noqa: S311 - a story to be told again, no secret
    chosen = [platforms[seed % len(platforms)]]
    if dice.random() < 0.5:
        chosen.append(dice.choice(platforms))
    shops = range(len(chosen))
    goods = _goods(dice, len(chosen))
    steps = _steps(dice, goods, len(chosen))
    faults = _faults(dice, len(steps), len(chosen), kinds)
    is_doubling = any(fault.kind is FaultKind.TWICE for fault in faults)
    if is_doubling:
        # Such marks go by the clock: one that is off by more than some minutes opens nothing.
        faults = [
            replace(fault, seconds=min(fault.seconds, _SMALL_JUMP))
            if fault.kind is FaultKind.CLOCK_JUMP
            else fault
            for fault in faults
        ]
    late = [fault.seconds for fault in faults if fault.kind is FaultKind.LATE]
    return Scenario(
        seed=seed,
        platforms=tuple(chosen),
        goods=goods,
        steps=steps,
        faults=faults,
        workers=dice.choice((1, 2, 2)),
        buffers=tuple(dice.choice((0, 0, 1, 2)) for _ in shops),
        settle=max([2.0, *(seconds + 1.0 for seconds in late)]),
        is_doubling=is_doubling,
        early_orders=tuple(dice.randrange(3) for _ in shops),
    )


def _price(dice: Random) -> str:
    return str(Decimal(dice.randrange(500, 5000)) / 100)


def _goods(dice: Random, shops: int) -> list[Goods]:
    made = []
    for number in range(dice.randrange(4, 9)):
        sku = f"P{number}"
        sizes = ("S", "M", "L")[: dice.randrange(2, 4)] if dice.random() < 0.3 else ()
        units = [
            Unit(
                sku=f"{sku}-{size}" if size else sku,
                option=size,
                price=_price(dice),
                quantity=None if dice.random() < 0.1 else dice.randrange(4, 30),
            )
            for size in sizes or ("",)
        ]
        is_there = tuple(number == 0 or dice.random() < 0.6 for _ in range(shops))
        late = tuple(not there and dice.random() < 0.3 for there in is_there)
        made.append(Goods(sku, units, is_there, late))
    return made


_STEP_WEIGHTS = {
    StepKind.PRICE: 5,
    StepKind.QUANTITY: 4,
    StepKind.HIDE: 2,
    StepKind.UNHIDE: 1,
    StepKind.DELIST: 1,
    StepKind.PUBLISH: 3,
    StepKind.SYNC: 5,
    StepKind.SYNC_ALL: 2,
    StepKind.GET_ORDERS: 3,
    StepKind.SYNC_ORDERS: 3,
    StepKind.BUY: 5,
    StepKind.SHIP: 5,
    StepKind.CANCEL: 1,
    StepKind.THEIR_PRICE: 2,
    StepKind.THEIR_DELETE: 1,
    StepKind.THEIR_EDIT: 1,
    StepKind.IMPORT: 1,
}


def _steps(dice: Random, goods: Sequence[Goods], shops: int) -> list[Step]:
    kinds = dice.choices([*_STEP_WEIGHTS], [*_STEP_WEIGHTS.values()], k=dice.randrange(14, 26))
    # Whatever else happens: something is published, sold, got, shipped and told.
    story = [
        StepKind.PUBLISH,
        StepKind.BUY,
        StepKind.GET_ORDERS,
        StepKind.SHIP,
        StepKind.SYNC_ORDERS,
        StepKind.SYNC,
    ]
    places = sorted(dice.randrange(len(kinds) + 1) for _ in story)
    for place, kind in reversed([*zip(places, story, strict=True)]):
        kinds.insert(place, kind)
    steps = [_step(dice, kind, goods, shops) for kind in kinds]
    for each in goods:
        for shop in range(shops):
            if each.late[shop]:
                added = Step(StepKind.ADD, _pause(dice), shop=shop, listing=each.sku)
                steps.insert(dice.randrange(len(steps)), added)
    return steps


def _step(dice: Random, kind: StepKind, goods: Sequence[Goods], shops: int) -> Step:
    chosen = dice.choice(goods)
    return Step(
        kind=kind,
        pause=_pause(dice),
        shop=dice.randrange(shops),
        listing=chosen.sku,
        unit=dice.choice(chosen.units).sku,
        amount=_price(dice),
        number=dice.choice((0, 1, 2, 3, 5, 8, 13, 21)),
    )


def _pause(dice: Random) -> float:
    """Some steps follow at once, some after the work of the one before."""
    return dice.choice((0.0, 0.0, 0.05, 0.1, 0.2, 0.4, 0.8))


def _faults(dice: Random, steps: int, shops: int, kinds: Sequence[FaultKind]) -> list[Fault]:
    if not kinds:
        return []
    weights = [_WEIGHTS.get(kind, 1) for kind in kinds]
    drawn = dice.choices(list(kinds), weights, k=dice.randrange(3, 8))
    # A revoked key ends all other troubles of requests: once is enough.
    chosen: list[FaultKind] = []
    for kind in drawn:
        if kind not in chosen or kind not in {FaultKind.KEY_REVOKED, FaultKind.STOP_WORKER}:
            chosen.append(kind)
    return [
        _fault(dice, kind, dice.randrange(max(1, steps - 4)), dice.randrange(shops))
        for kind in chosen
    ]


def _fault(dice: Random, kind: FaultKind, at: int, shop: int) -> Fault:
    moment = dice.choice((Moment.REQUEST, Moment.ANSWER, Moment.ANSWER, Moment.SOON))
    if kind in {FaultKind.KILL_SERVER, FaultKind.CLOCK_JUMP}:
        moment = Moment.SOON
    if kind in _LISTS_ONLY:
        method: str | None = "GET"
    elif kind in _WRITES_ONLY:
        method = "POST"
    else:
        method = dice.choice(("POST", "POST", "GET", None))
    return Fault(
        kind=kind,
        at=at,
        moment=moment,
        nth=dice.choice((1, 1, 1, 2, 3)),
        method=method,
        seconds=_seconds(dice, kind),
        times=dice.choice((1, 1, 1, 2)) if kind not in PROCESS_FAULTS else 1,
        shop=shop,
        is_known=dice.random() < 0.5,
    )


def _seconds(dice: Random, kind: FaultKind) -> float:
    match kind:
        case FaultKind.LATE:
            return dice.choice((0.4, 1.0, 2.0))
        case FaultKind.TIMEOUT_BEFORE | FaultKind.TIMEOUT_AFTER:
            # The last is longer than the client waits.
            return dice.choice((0.1, 0.5, 0.5, 5.5))
        case FaultKind.CLOCK_JUMP:
            return dice.choice((-4.0, -1.0, 30.0, 600.0, 3600.0))
        case FaultKind.KEY_REVOKED:
            return dice.choice((0.5, 1.5))
        case _:
            return dice.choice((0.0, 0.002, 0.01, 0.03, 0.1, 0.3))
