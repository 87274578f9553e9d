"""Actions, decisions and plans: what would be done, what would not, and why. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconcile.core.types import Operation, RemoteRef, Value, WritePolicy


class ActionKind(StrEnum):
    """Every effect the product can have, on our own records or on a channel."""

    LINK = "LINK"
    BREAK_LINK = "BREAK_LINK"
    IMPORT = "IMPORT"
    PUBLISH = "PUBLISH"
    OVERWRITE = "OVERWRITE"
    SYNC = "SYNC"
    HIDE = "HIDE"
    UNHIDE = "UNHIDE"
    DELIST = "DELIST"
    IMPORT_ORDER = "IMPORT_ORDER"
    ACKNOWLEDGE = "ACKNOWLEDGE"
    FULFILL = "FULFILL"
    CLOSE = "CLOSE"

    @property
    def is_local(self) -> bool:
        """True where the action changes our own records only and sends nothing."""
        return self in LOCAL_ACTIONS


LOCAL_ACTIONS = frozenset(
    {ActionKind.LINK, ActionKind.BREAK_LINK, ActionKind.IMPORT, ActionKind.IMPORT_ORDER}
)

OPERATION_ACTIONS: Mapping[Operation, frozenset[ActionKind]] = {
    Operation.IMPORT_LISTINGS: frozenset({ActionKind.LINK, ActionKind.IMPORT}),
    Operation.LINK_LISTINGS: frozenset({ActionKind.LINK, ActionKind.BREAK_LINK}),
    Operation.SYNC_LISTINGS: frozenset(
        {
            ActionKind.LINK,
            ActionKind.BREAK_LINK,
            ActionKind.SYNC,
            ActionKind.HIDE,
            ActionKind.UNHIDE,
            ActionKind.DELIST,
        }
    ),
    Operation.PUBLISH_LISTINGS: frozenset(
        {ActionKind.LINK, ActionKind.BREAK_LINK, ActionKind.PUBLISH, ActionKind.OVERWRITE}
    ),
    Operation.GET_ORDERS: frozenset({ActionKind.IMPORT_ORDER, ActionKind.ACKNOWLEDGE}),
    Operation.SYNC_ORDERS: frozenset({ActionKind.FULFILL, ActionKind.CLOSE}),
}

_ENRICH = frozenset(
    {
        ActionKind.SYNC,
        ActionKind.OVERWRITE,
        ActionKind.ACKNOWLEDGE,
        ActionKind.FULFILL,
        ActionKind.CLOSE,
    }
)
_ADDITIVE = _ENRICH | {ActionKind.PUBLISH, ActionKind.UNHIDE}

POLICY_ACTIONS: Mapping[WritePolicy, frozenset[ActionKind]] = {
    WritePolicy.OBSERVE: frozenset(),
    WritePolicy.ENRICH: _ENRICH,
    WritePolicy.ADDITIVE: _ADDITIVE,
    WritePolicy.FULL: _ADDITIVE | {ActionKind.HIDE, ActionKind.DELIST},
}
"""Actions on a channel that each write policy lets through; local actions always pass."""


class GuardKind(StrEnum):
    """The destructive effects that have a budget."""

    DELIST = "DELIST"
    HIDE = "HIDE"
    BREAK_LINK = "BREAK_LINK"
    QUANTITY_TO_ZERO = "QUANTITY_TO_ZERO"
    PRICE_DROP = "PRICE_DROP"
    IMPORT_OVERWRITE = "IMPORT_OVERWRITE"


class Outcome(StrEnum):
    """How an action ended, or stands."""

    APPLIED = "APPLIED"
    NO_OP = "NO_OP"
    SKIPPED = "SKIPPED"
    REFUSED = "REFUSED"
    STALE = "STALE"
    RETRYING = "RETRYING"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one object, before and after; `before` is None where nothing was seen."""

    field: str
    before: Value
    after: Value
    variant_id: str | None = None
    """Whose field it is in an action of the whole listing; None for the listing's own."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A CamelCase code a program can branch on, and a sentence a person can act on."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Action:
    """One intended effect on one object, with the reason it is there."""

    kind: ActionKind
    listing_id: str
    """Empty for the IMPORT of a product that is no listing of ours yet."""
    variant_id: str | None
    """None where the action is of the whole listing (PUBLISH, OVERWRITE, IMPORT, ending DELIST)."""
    group: str
    """Write group: at most one unfinished action per object and group."""
    reason: Reason
    remote: RemoteRef | None = None
    changes: tuple[Change, ...] = ()
    guards: tuple[GuardKind, ...] = ()
    variant_ids: tuple[str, ...] = ()
    """Variants an action of the whole listing is about."""
    order_id: str = ""
    """Id of the remote order, for actions on orders; `listing_id` is empty then."""
    shipment_id: str = ""
    """FULFILL: our shipment that is to reach the channel."""
    key: str = ""
    """Idempotency key, equal for equal actions; `keys.keyed` fills it in."""
    input_hash: str = ""
    """Hash of what the action was made from; a permanent failure is bound to it."""

    @property
    def object_id(self) -> str:
        """The object this action occupies: `variant:<id>`, `listing:<id>`, `remote:<their id>`, ...

        `remote:` is for the IMPORT of a product that is no listing of ours yet; `shipment:<id>` for
        FULFILL, `order:<id>` for everything else that is done to an order.
        """
        if self.shipment_id:
            return f"shipment:{self.shipment_id}"
        if self.order_id:
            return f"order:{self.order_id}"
        if self.variant_id:
            return f"variant:{self.variant_id}"
        if not self.listing_id and self.remote is not None:
            return f"remote:{self.remote.listing}"
        return f"listing:{self.listing_id}"


class Standing(StrEnum):
    """What a decision amounts to for the person who reads it."""

    ACTION = "ACTION"
    """Something will be done."""
    IN_ORDER = "IN_ORDER"
    """Nothing to do: the channel holds what is wanted."""
    WAITING = "WAITING"
    """It happens by itself later (another operation, an unfinished action)."""
    ATTENTION = "ATTENTION"
    """It does not happen until a person does something."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Why an action is there, or why one is not; good enough to show as it is."""

    listing_id: str
    variant_id: str | None
    code: str
    message: str
    standing: Standing
    action: ActionKind | None = None
    """The action that is there, or that this decision stands in the place of."""
    outcome: Outcome | None = None
    """SKIPPED for policy; None where nothing was to be done."""
    order_id: str = ""
    """Id of the remote order a decision about orders is of; `listing_id` is empty then."""
    shipment_id: str = ""
    inputs: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions in the order they are meant to run, and the decisions that explain the rest."""

    actions: tuple[Action, ...] = ()
    decisions: tuple[Decision, ...] = ()
    skipped: tuple[tuple[Action, Decision], ...] = ()
    """What the write policy holds back, so that a preview can still show before and after."""
