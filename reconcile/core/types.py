"""The vocabulary of the product as frozen values and closed enums.

Everything here is data: no method acts. Words are those of section 2 of the design; the store, the
API and the adapters use the same ones.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

Value: TypeAlias = "str | int | bool | list[Value] | dict[str, Value] | None"
"""A canonical value: JSON without floats, so that equality in Python and in SQL is the same."""

Fields: TypeAlias = Mapping[str, Value]
"""Canonical values by field name; a missing name means "no statement", never empty or zero."""


class _NoFields(Mapping[str, Value]):
    """The empty mapping; hashable, for Python 3.11 refuses unhashable defaults of dataclasses."""

    __slots__ = ()

    def __getitem__(self, name: str) -> Value:
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "{}"


NO_FIELDS: Fields = _NoFields()


class Operation(StrEnum):
    """What a channel can be asked to do; each yields the actions listed in `OPERATION_ACTIONS`."""

    IMPORT_LISTINGS = "IMPORT_LISTINGS"
    LINK_LISTINGS = "LINK_LISTINGS"
    SYNC_LISTINGS = "SYNC_LISTINGS"
    PUBLISH_LISTINGS = "PUBLISH_LISTINGS"
    GET_ORDERS = "GET_ORDERS"
    SYNC_ORDERS = "SYNC_ORDERS"

    @property
    def side(self) -> "Side":
        """The half of a channel this operation works on; each half has a lease of its own."""
        return (
            Side.ORDERS if self in (Operation.GET_ORDERS, Operation.SYNC_ORDERS) else Side.LISTINGS
        )


class Side(StrEnum):
    """The two halves of a channel that run beside each other."""

    LISTINGS = "LISTINGS"
    ORDERS = "ORDERS"


class Presence(StrEnum):
    """Where we want a variant to be."""

    LISTED = "LISTED"
    HIDDEN = "HIDDEN"
    DELISTED = "DELISTED"


class SeenPresence(StrEnum):
    """Where a variant was last seen to be."""

    NOT_LISTED = "NOT_LISTED"
    LISTED = "LISTED"
    HIDDEN = "HIDDEN"
    DELISTED = "DELISTED"
    UNKNOWN = "UNKNOWN"


class LinkState(StrEnum):
    """How one of our variants stands to an object of the channel."""

    UNLINKED = "UNLINKED"
    LINKED = "LINKED"
    BROKEN = "BROKEN"
    """The remote object is gone; final until a person unlinks, relinks or republishes."""
    AMBIGUOUS = "AMBIGUOUS"
    """Several candidates, on their side or ours; a person decides."""


class SyncStatus(StrEnum):
    """Whether the channel was last seen to hold what we want."""

    IN_SYNC = "IN_SYNC"
    OUT_OF_SYNC = "OUT_OF_SYNC"
    UNKNOWN = "UNKNOWN"


class WritePolicy(StrEnum):
    """Which effects a channel may receive; what only changes our own records is always allowed."""

    OBSERVE = "OBSERVE"
    """Plan, never write: shadow mode."""
    ENRICH = "ENRICH"
    """SYNC, OVERWRITE, ACKNOWLEDGE, FULFILL, CLOSE."""
    ADDITIVE = "ADDITIVE"
    """ENRICH and PUBLISH, UNHIDE."""
    FULL = "FULL"
    """ADDITIVE and HIDE, DELIST."""


class FieldGroup(StrEnum):
    """The two families of fields; a template of one operation may enable only its own."""

    SYNC = "SYNC"
    CONTENT = "CONTENT"


class FieldRole(StrEnum):
    """What a channel's field means to the rules, whatever its name on the platform."""

    PRICE = "PRICE"
    COMPARE_AT = "COMPARE_AT"
    COST = "COST"
    QUANTITY = "QUANTITY"
    CONTENT = "CONTENT"


class Level(StrEnum):
    """Whether a field belongs to the listing (the product) or to each of its variants."""

    LISTING = "LISTING"
    VARIANT = "VARIANT"


class OurField(StrEnum):
    """The fields of our own listing (feature A17); client price is deliberately not carried."""

    SKU = "sku"
    TITLE = "title"
    DESCRIPTION = "description"
    BRAND = "brand"
    CATEGORIES = "categories"
    """The category path, level 1 first."""
    ASIN = "asin"
    GTIN = "gtin"
    MPN = "mpn"
    UPC = "upc"
    OPTIONS = "options"
    """On the listing: ordered option names. On a variant: ordered `[name, value]` pairs."""
    IMAGES = "images"
    """Addresses, the first one is the main image."""
    ESTIMATED_COST = "estimated_cost"
    LIST_PRICE = "list_price"
    MSRP = "msrp"
    MAP = "map"
    QUANTITY = "quantity"
    WEIGHT = "weight"
    """`{"value": "1.5", "unit": "kg"}`; units oz, lb, kg, g."""
    DIMENSIONS = "dimensions"
    """`{"length": "1", "width": "2", "height": "3", "unit": "cm"}`."""
    ATTRIBUTES = "attributes"
    """Name → text."""
    CUSTOM_FIELDS = "custom_fields"
    """Name → text."""


MONEY_FIELDS = frozenset(
    {OurField.ESTIMATED_COST, OurField.LIST_PRICE, OurField.MSRP, OurField.MAP}
)
"""Our fields that hold `{"amount": "9.90", "currency": "EUR"}`."""


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount in one currency; nothing is ever converted."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True, order=True)
class RemoteRef:
    """Their ids of one sellable object: the product, and the variant where the product has some."""

    listing: str
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A remote object whose key equals ours and which no variant of ours claims."""

    ref: RemoteRef
    title: str
    sku: str | None
    claimed_by: str | None = None
    """Id of the variant of ours that is linked to it; a claimed object is no candidate."""


@dataclass(frozen=True, slots=True)
class RemoteVariant:
    """What a channel was last seen to hold for one sellable object."""

    ref: RemoteRef
    sku: str | None
    presence: SeenPresence
    seen: Fields
    """Canonical values of the fields of group SYNC."""
    content: Fields = NO_FIELDS
    """Canonical values of the fields of group CONTENT at variant level."""
    identifiers: Mapping[str, str] = field(default_factory=dict)
    """Canonical key per linking identifier of the platform, absent where the store has none."""
    options: tuple[tuple[str, str], ...] = ()
    import_fields: Fields = NO_FIELDS
    """The variant in our vocabulary (`OurField`), for IMPORT; at least `sku` where it has one."""
    aspects: Fields = NO_FIELDS
    """What the platform needs to know to write it later (manage_stock, backorders, type)."""
    unsellable: bool = False
    """It looks the way hiding leaves it (out of stock, no backorders); with `Variant.kept` that
    means it is still hidden, without it the shop has merely sold out."""
    absent: bool = False
    """Missing from the last complete snapshot, not yet proved gone."""
    gone: str | None = None
    """Reason code once a read by id said so (`Deleted`, `InTrash`)."""


@dataclass(frozen=True, slots=True)
class RemoteListing:
    """One product of a channel with its variants, as last seen."""

    id: str
    title: str
    presence: SeenPresence
    variants: tuple[RemoteVariant, ...]
    content: Fields = NO_FIELDS
    """Canonical values of the fields of group CONTENT at listing level."""
    import_fields: Fields = NO_FIELDS
    """The product in our vocabulary (`OurField`), for IMPORT; empty where import is unsupported."""
    aspects: Fields = NO_FIELDS
    modified_at: datetime | None = None
    """When the platform says it changed last, UTC."""
    has_content: bool = True
    """False where only what selling needs was read: `content` and `import_fields`, here and of the
    variants, say nothing and stay as they were."""
    is_partial: bool = False
    """True for what a write answered about some variants: only their SYNC values and presence are
    to be believed; listing-level fields and variants not named here stay as they were."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """A wanted value that is not sent, and why (`CurrencyMismatch`, `Invalid`, `NoValue`)."""

    field: str
    reason: str
    message: str


class ZeroCause(StrEnum):
    """Why a wanted quantity is zero; only a statement counts against the guard."""

    STATEMENT = "STATEMENT"
    SOLD_OUT = "SOLD_OUT"


@dataclass(frozen=True, slots=True)
class Failure:
    """A permanent failure, bound to the input it was made from: no retry until that changes."""

    action: str
    """Kind of the failed action."""
    input_hash: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Variant:
    """One of our listing variants with everything a decision about it needs."""

    id: str
    sku: str
    presence: Presence = Presence.LISTED
    asserted: bool = False
    """Someone stated the presence; without it a product hidden on the store stays hidden."""
    paused: bool = False
    link: LinkState = LinkState.UNLINKED
    link_hold: bool = False
    """A person unlinked it: no automatic link and no publish until that person acts."""
    link_key: str | None = None
    """Canonical value of our linking identifier; None where ours has none."""
    remote: RemoteVariant | None = None
    """The linked object as last seen; kept when the link is BROKEN."""
    kept: Fields | None = None
    """What hiding overwrote on the store; not None means we hid it and will restore this."""
    was: SeenPresence = SeenPresence.NOT_LISTED
    """What an unlinked variant was last: NOT_LISTED, or DELISTED once it had been listed."""
    wanted: Fields = NO_FIELDS
    """Canonical values for the fields of group SYNC that the template enables."""
    content: Fields = NO_FIELDS
    """Canonical values for the fields of group CONTENT at variant level, in the seen form."""
    withheld: tuple[Withheld, ...] = ()
    zero_cause: ZeroCause = ZeroCause.STATEMENT
    options: tuple[tuple[str, str], ...] = ()
    own: Fields = NO_FIELDS
    """Our stored values in our vocabulary (`OurField`); only IMPORT compares them."""
    candidates: tuple[Candidate, ...] = ()
    """Remote objects with our key, claimed ones included (they only explain)."""
    rivals: tuple[str, ...] = ()
    """SKUs of other unlinked variants of ours on this channel with the same link key."""
    busy: Mapping[str, str] = field(default_factory=dict)
    """Write group → state of an unfinished action on it."""
    failures: tuple[Failure, ...] = ()
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """Our wish for one product on one channel, with its variants and what they are linked to."""

    id: str
    title: str
    variants: tuple[Variant, ...]
    content: Fields = NO_FIELDS
    """Canonical values for the fields of group CONTENT at listing level, in the seen form."""
    option_names: tuple[str, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    own: Fields = NO_FIELDS
    """Our stored values in our vocabulary (`OurField`); only IMPORT compares them."""
    remote: RemoteListing | None = None
    """The product its linked variants belong to; `variants` there lists all of the product's."""
    busy: Mapping[str, str] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    revision: int = 0
