"""What an adapter is given to write, and what it reports while it does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias

from reconcile.contract.reading import Gone
from reconcile.core.actions import ActionKind, Outcome
from reconcile.core.remote_order_types import RemoteOrder
from reconcile.core.types import NO_FIELDS, Fields, Presence, RemoteListing, RemoteRef


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
    observed_orders: tuple[RemoteOrder, ...] = ()
    """Orders as the answer showed them, whole."""
    remote_ids: tuple[str, ...] = ()
    """FULFILL: what the shipment became there (ids of notes, trackings, fulfillments)."""
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
