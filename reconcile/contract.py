"""The whole promise an adapter makes: Platform, Adapter, writes and their progress, the errors.

A platform is one `Platform` record and one `Adapter` class. What a platform cannot do is absent
from the record, with the reason; the base class answers `UnsupportedError` for whatever is not
overridden, and the contract suite checks that the two agree.

The errors, sorted by what the caller does next::

    AdapterError                 effect: NONE (nothing happened there) or POSSIBLE (it may have)
    ├── RateLimitedError         wait `retry_after`, then again
    ├── UnavailableError         back off, then again (5xx, time-outs, connections)
    ├── UnauthorizedError        pause the channel: a person must renew the credentials
    ├── RejectedError            do not repeat before an input changes; the platform says why
    ├── GoneError                the object is not there (any more)
    ├── UnsupportedError         the platform cannot do this at all
    └── UnexpectedResponseError  the answer makes no sense (HTML, cut JSON); again later
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Protocol, TypeAlias

from reconcile.core.actions import ActionKind, Outcome
from reconcile.core.mapping import ChannelField, Template
from reconcile.core.types import (
    NO_FIELDS,
    Fields,
    Operation,
    Presence,
    RemoteListing,
    RemoteRef,
    Value,
)

# --- errors ---------------------------------------------------------------------------------


class Effect(StrEnum):
    """Whether a failed request may have changed something on the platform."""

    NONE = "NONE"
    POSSIBLE = "POSSIBLE"


class AdapterError(Exception):
    """Something an adapter could not do; the message is fit for an operator and holds no secret."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        effect: Effect = Effect.NONE,
        status: int | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).__name__.removesuffix("Error")
        """CamelCase or the platform's own code; what a program branches on."""
        self.effect = effect
        self.status = status
        """HTTP status, where there was an answer."""
        self.retry_after = retry_after


class RateLimitedError(AdapterError):
    """The account's request budget is used up; go on after `retry_after`."""


class UnavailableError(AdapterError):
    """The platform did not answer, or answered that it cannot now; back off and try again."""


class UnauthorizedError(AdapterError):
    """The credentials are wrong, revoked or lack a permission; the channel is paused."""


class RejectedError(AdapterError):
    """The platform refused the input for good, with its reasons."""


class GoneError(AdapterError):
    """The object does not exist there (any more)."""


class UnsupportedError(AdapterError):
    """The platform cannot do this at all; said before anything is sent."""


class UnexpectedResponseError(AdapterError):
    """The answer is not what the platform's API promises; nothing is concluded from it."""


# --- reading --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AccountInfo:
    """Who the credentials speak for; compared before every run."""

    account_id: str
    """Stable id of the account or store; never changes for the same store."""
    name: str
    currency: str
    """ISO 4217 code in which the channel's prices are."""
    scopes: frozenset[str] = frozenset()
    """What the credentials may do, in the platform's words (`read`, `write`)."""
    version: str = ""
    features: frozenset[str] = frozenset()
    """What was detected on this very store (`global_unique_id`, `brands`)."""


@dataclass(frozen=True, slots=True)
class ListingPage:
    """A part of a walk through all products; `cursor` is where to go on after it is stored."""

    rows: tuple[RemoteListing, ...]
    cursor: Mapping[str, Value]
    """JSON that, given back to `listings`, continues after this page."""
    is_last: bool
    total: int | None
    """Number of products (not variants) the platform last stated; None where it states none."""
    observed_at: datetime
    """When the request for this page was sent, UTC."""
    wait: timedelta | None = None
    """Ask for the next page no sooner than this (asynchronous jobs)."""
    rejected: tuple[str, ...] = ()
    """Ids of products that could not be understood; they count as seen but hold no value."""


@dataclass(frozen=True, slots=True)
class Gone:
    """A read by id said that the object is not there."""

    reason: str
    """`Deleted` or `InTrash`."""
    message: str


ReadResult: TypeAlias = RemoteListing | Gone


# --- writing --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """A part of a write that stands on the platform and must not be done again."""

    key: str
    """Key of the action it belongs to."""
    name: str
    """What was done, unique within the action: `product`, `variant:<our id>`, `images`, `shown`."""
    remote_id: str | None = None
    detail: Fields = NO_FIELDS


@dataclass(frozen=True, slots=True)
class VariantWrite:
    """One of our variants inside a write."""

    id: str
    sku: str
    ref: RemoteRef | None = None
    sync: Fields = NO_FIELDS
    """Canonical values of group SYNC to send; for SYNC only what differs."""
    content: Fields = NO_FIELDS
    """Canonical values of group CONTENT at variant level to send."""
    options: tuple[tuple[str, str], ...] = ()
    presence: Presence = Presence.LISTED
    kept: Fields | None = None
    """What an earlier HIDE overwrote (its outcome's `kept`); UNHIDE restores it."""
    seen: Fields = NO_FIELDS
    """Canonical SYNC values last seen there."""
    aspects: Fields = NO_FIELDS
    """`RemoteVariant.aspects` as last seen."""


@dataclass(frozen=True, slots=True)
class Write:
    """One action as an adapter gets it; steps already taken by an earlier try are included."""

    key: str
    kind: ActionKind
    listing_id: str
    remote_id: str | None
    """Their id of the product; None for PUBLISH."""
    variants: tuple[VariantWrite, ...]
    content: Fields = NO_FIELDS
    """Canonical values of group CONTENT at listing level to send."""
    seen_content: Fields = NO_FIELDS
    option_names: tuple[str, ...] = ()
    aspects: Fields = NO_FIELDS
    media: Mapping[str, str] = field(default_factory=dict)
    """Source address of an image → the platform's media id, from earlier writes."""
    ends_product: bool = False
    """DELIST: these variants are all the product has, so the product itself goes."""
    steps: tuple[Step, ...] = ()
    sku: str = ""
    """PUBLISH: SKU of our listing itself, where it is not the SKU of one of its variants."""

    def step(self, name: str) -> Step | None:
        """The recorded step of that name, if an earlier try got that far."""
        return next((step for step in self.steps if step.name == name), None)


@dataclass(frozen=True, slots=True)
class Sending:
    """The request about to leave concerns these actions; the runtime commits this first."""

    keys: tuple[str, ...]
    request: str
    """Method and route, for the log: `POST /products/batch`."""


@dataclass(frozen=True, slots=True)
class Result:
    """How one action ended, with what was seen in the answer."""

    key: str
    outcome: Outcome
    """APPLIED, NO_OP, STALE, FAILED, RETRYING or UNKNOWN."""
    code: str = ""
    message: str = ""
    observed: tuple[RemoteListing, ...] = ()
    """Products as the answer showed them; they go into the mirror."""
    refs: Mapping[str, RemoteRef] = field(default_factory=dict)
    """PUBLISH: id of our variant → where it now is."""
    existing: RemoteRef | None = None
    """FAILED or STALE: an object that already holds our key; it is linked instead."""
    kept: Fields | None = None
    """HIDE: what was overwritten, to be restored by UNHIDE."""
    media: Mapping[str, str] = field(default_factory=dict)
    """Source address of an image → media id, to be sent by id from now on."""
    gone: Gone | None = None
    retry_after: timedelta | None = None


Progress: TypeAlias = Sending | Step | Result


class ConfirmState(StrEnum):
    """What a look at the platform says about an action whose outcome is unknown."""

    DONE = "DONE"
    NOT_DONE = "NOT_DONE"
    """Counts only after the platform's `settle_time`."""
    CANNOT_TELL = "CANNOT_TELL"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The answer of `confirm` for one action; DONE carries the result as if received."""

    state: ConfirmState
    evidence: str
    result: Result | None = None
    steps: tuple[Step, ...] = ()
    """NOT_DONE: parts that were found to stand all the same; the next try is given them."""


class Adapter:
    """Speaks to one account of one platform; every method may raise the errors above.

    Writes are async generators: `Sending` before each request, `Step` after each part that stands,
    and exactly one `Result` per action. An exception from a write concerns the keys of the last
    `Sending` that have no result yet; keys not yet named in a `Sending` were not touched.
    """

    def __init__(self, platform: "Platform") -> None:
        self.platform = platform

    def _unsupported(self, what: str) -> UnsupportedError:
        return UnsupportedError(
            f"{self.platform.title} does not support {what}", code="Unsupported"
        )

    async def check(self) -> AccountInfo:
        """Who the credentials speak for; as few requests as the platform allows."""
        raise self._unsupported("checking the account")

    async def connect_check(self) -> AccountInfo:
        """The fuller check for connecting: permissions and what the store can do, too."""
        return await self.check()

    def listings(
        self, cursor: Mapping[str, Value] | None, *, with_content: bool = True
    ) -> AsyncIterator[ListingPage]:
        """All products in a stable order, from the start or from where `cursor` says.

        Without content no more is read than selling needs, in fewer or smaller requests where the
        platform can; the rows then say so (`RemoteListing.has_content`).
        """
        raise self._unsupported("listing products")

    async def read(
        self, refs: Sequence[RemoteRef], *, with_content: bool = True
    ) -> Mapping[RemoteRef, ReadResult]:
        """Each object by id: the product it belongs to, or `Gone`; raises on anything else."""
        raise self._unsupported("reading products")

    def publish(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Create products that do not exist there; what exists under our key is never doubled."""
        raise self._unsupported("publishing")

    def overwrite(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Send changed content of linked products."""
        raise self._unsupported("overwriting content")

    def sync(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Send changed prices and quantities of linked variants."""
        raise self._unsupported("synchronizing prices and quantities")

    def hide(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Make variants unbuyable for now; results carry `kept`."""
        raise self._unsupported("hiding")

    def unhide(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Bring hidden variants back with what hiding overwrote."""
        raise self._unsupported("unhiding")

    def delist(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Remove variants, or whole products where `ends_product` says so."""
        raise self._unsupported("delisting")

    async def confirm(self, writes: Sequence[Write]) -> Mapping[str, Confirmation]:
        """By key: did an action with an unknown outcome happen? Reads only."""
        raise self._unsupported("confirming")

    async def aclose(self) -> None:
        """Release connections."""


# --- the platform record --------------------------------------------------------------------


def setting(
    title: str,
    help_text: str,
    *,
    default: Any = MISSING,
    secret: bool = False,
    choices: tuple[str, ...] = (),
) -> Any:
    """A field of a credentials or settings dataclass: its title, and where or what it is.

    `Any` because `dataclasses.field` is typed so that its result fits every annotation.
    """
    metadata = {"title": title, "help": help_text, "secret": secret, "choices": choices}
    if default is MISSING:
        return field(metadata=metadata, repr=not secret)
    return field(default=default, metadata=metadata, repr=not secret)


class Settings(Protocol):
    """A frozen dataclass of `setting` fields (str, int, bool, Decimal or None)."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class SettingSpec:
    """One field of a settings dataclass, for documentation, the API and the command line."""

    name: str
    title: str
    help: str
    type: Any
    required: bool
    secret: bool
    choices: tuple[str, ...]
    default: Value


def setting_specs(settings_type: type[Settings]) -> tuple[SettingSpec, ...]:
    """The fields of a settings dataclass in the order they are declared."""
    return tuple(
        SettingSpec(
            name=item.name,
            title=item.metadata["title"],
            help=item.metadata["help"],
            type=item.type,
            required=item.default is MISSING,
            secret=item.metadata["secret"],
            choices=item.metadata["choices"],
            default=None if item.default is MISSING else item.default,
        )
        for item in fields(settings_type)
    )


@dataclass(frozen=True, slots=True)
class Identifier:
    """An identifier of one side that listings can be linked by."""

    name: str
    """On our side an `OurField` value; on theirs a key of `RemoteVariant.identifiers`."""
    title: str


@dataclass(frozen=True, slots=True)
class ActionSupport:
    """That a platform supports an action, and in what portions."""

    batch_size: int = 1
    """Most actions one request can carry."""


@dataclass(frozen=True, slots=True)
class PresenceForm:
    """How one presence is written and read on a platform."""

    is_readable: bool
    """The platform itself says so; otherwise `Variant.kept` with `unsellable` stands for it."""
    overwrites: frozenset[str] = frozenset()
    """Fields of group SYNC that it overwrites; they are not synchronized meanwhile."""
    write_group: str = "content"
    explanation: str = ""
    """What it means on this platform, for documentation and previews."""


class Transport(Protocol):
    """What an adapter needs from the outside, handed in by the wiring: HTTP, time, pacing."""

    @property
    def http(self) -> Any:
        """The `httpx.AsyncClient` to use; typed Any, as the contract stays free of httpx."""
        ...

    def now(self) -> datetime:
        """The current time, UTC."""
        ...

    async def acquire(self, cost: float) -> None:
        """Wait for, or raise `RateLimitedError` when far from, the account's request budget."""
        ...

    async def learn(self, observation: "BudgetObservation") -> None:
        """Tell the shared budget what an answer said about it."""
        ...

    async def record(self, exchange: "Exchange") -> None:
        """Keep a request that may have changed something for the log (A15), already redacted."""
        ...


@dataclass(frozen=True, slots=True)
class BudgetObservation:
    """What an answer said about the account's budget."""

    available: float | None = None
    maximum: float | None = None
    restore_per_second: float | None = None
    blocked_for: timedelta | None = None
    """429 or Retry-After: nothing leaves before."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request to a platform that changed, or may have changed, something."""

    at: datetime
    method: str
    url: str
    request: Value
    status: int | None
    response: Value
    seconds: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """One listing read from a catalog file in our vocabulary, with the lines it came from."""

    line: int
    fields: Fields
    variants: tuple[tuple[int, Fields], ...]


@dataclass(frozen=True, slots=True)
class CatalogError:
    """A row of a catalog file that was not taken, and why."""

    line: int
    sku: str | None
    code: str
    message: str


class CatalogLayout(Protocol):
    """Reader of a product-CSV layout that users can ask for by name."""

    @property
    def name(self) -> str:
        """What a user writes to ask for this layout: `shopify`."""
        ...

    @property
    def title(self) -> str:
        """What the layout is called in a message: `Shopify product CSV`."""
        ...

    def recognizes(self, header: Sequence[str]) -> bool:
        """Whether a file with this header line is of this layout."""
        ...

    def read(self, header: Sequence[str], rows: "CsvRows", currency: str) -> "CatalogStream":
        """Stream listings and errors; a group of lines is one listing."""
        ...


CsvRows: TypeAlias = Any
"""Iterator of `reconcile.catalog.items.CsvRow`."""
CatalogStream: TypeAlias = Any
"""Iterator of `reconcile.catalog.items.CatalogItem`."""


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything the rest of the product knows of a platform without speaking to it."""

    name: str
    """Lower case, the folder's name: `woocommerce`."""
    title: str
    credentials: type[Settings]
    settings: type[Settings]
    """Settings of the channel as a whole."""
    operations: Mapping[Operation, type[Settings]]
    """Supported operations with the settings each has."""
    unsupported_operations: Mapping[Operation, str]
    """The others, with the reason and what to do instead."""
    actions: Mapping[ActionKind, ActionSupport]
    unsupported_actions: Mapping[ActionKind, str]
    our_identifiers: tuple[Identifier, ...]
    their_identifiers: tuple[Identifier, ...]
    linking_pairs: frozenset[tuple[str, str]]
    """Allowed (ours, theirs)."""
    fields: tuple[ChannelField, ...]
    templates: Mapping[Operation, Template]
    """Default mapping templates."""
    presence: Mapping[Presence, PresenceForm]
    canonical: Callable[[str, Value], Value]
    """(channel field, value) → canonical value; pure, idempotent; ValueError says what is wrong."""
    key: Callable[[str, str], str | None]
    """(identifier of ours or theirs, value) → canonical key, None where there is none."""
    settle_time: timedelta
    """After this a request that may still be at work there has ended."""
    connect: Callable[[Settings, Settings, AccountInfo | None, Transport], Adapter]
    """(credentials, channel settings, account as last checked, transport) → adapter."""
    base_url: Callable[[Settings], str]
    """Where requests of these credentials go; ValueError says what is wrong with the address."""
    manual_only: frozenset[Operation] = frozenset()
    """Operations that cannot be scheduled (feature W8)."""
    max_in_flight: int = 1
    catalog: CatalogLayout | None = None
    sandbox: Callable[..., Any] | None = None
    """Creates this platform's simulator (see `adapters.sandbox`); takes `image_hosts`, a frozenset
    of hosts whose pictures the simulated store can fetch, and whatever else is its own."""

    def channel_field(self, name: str) -> ChannelField | None:
        """The channel field of that name."""
        return next((item for item in self.fields if item.name == name), None)


AdapterCall: TypeAlias = Callable[[Adapter, Sequence[Write]], AsyncIterator[Progress]]

WRITES: Mapping[ActionKind, AdapterCall] = {
    ActionKind.PUBLISH: lambda adapter, writes: adapter.publish(writes),
    ActionKind.OVERWRITE: lambda adapter, writes: adapter.overwrite(writes),
    ActionKind.SYNC: lambda adapter, writes: adapter.sync(writes),
    ActionKind.HIDE: lambda adapter, writes: adapter.hide(writes),
    ActionKind.UNHIDE: lambda adapter, writes: adapter.unhide(writes),
    ActionKind.DELIST: lambda adapter, writes: adapter.delist(writes),
}
"""How an action becomes a call."""
