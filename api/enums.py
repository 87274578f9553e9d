"""The closed vocabularies of the product as GraphQL enums, with what each value means."""

from enum import StrEnum

import strawberry

from reconcile.commands.items import StatementOutcome
from reconcile.commands.tokens import Scope
from reconcile.core.actions import ActionKind, GuardKind, Standing
from reconcile.core.order_types import OrderStatus, ShipmentOrigin, ShipmentState
from reconcile.core.remote_order_types import OrderStage, OrderVerdict, PaymentStatus
from reconcile.core.states import ActionState, RunResult, RunState
from reconcile.core.types import (
    FieldGroup,
    FieldRole,
    Level,
    LinkState,
    Operation,
    Presence,
    SeenPresence,
    SyncStatus,
    WritePolicy,
    ZeroCause,
)
from reconcile.store.imports import ImportState

for _kind, _text in (
    (Operation, "What a channel can be asked to do."),
    (ActionKind, "Every effect there is, on our own records or on a channel."),
    (GuardKind, "The destructive effects that have a budget."),
    (
        Standing,
        (
            "What a decision amounts to: ACTION (something will be done), IN_ORDER (nothing to do),"
            " WAITING (happens by itself later), ATTENTION (does not happen until a person acts)."
        ),
    ),
    (RunState, "Where a run stands."),
    (RunResult, "How a run ended; a run that skipped a row against the wish is not SUCCEEDED."),
    (ActionState, "Where an action stands, or how it ended."),
    (FieldGroup, "SYNC (quantity, prices) or CONTENT."),
    (FieldRole, "What a channel's field means to the rules."),
    (Level, "Whether a field belongs to the listing or to each variant."),
    (LinkState, "How one of our variants stands to an object of the channel."),
    (Presence, "Where we want a variant to be."),
    (SeenPresence, "Where a variant was last seen to be."),
    (SyncStatus, "Whether the channel was last seen to hold what we want."),
    (
        WritePolicy,
        (
            "What may be written: OBSERVE (nothing), ENRICH (SYNC, OVERWRITE, ACKNOWLEDGE, FULFILL,"
            " CLOSE), ADDITIVE (and PUBLISH, UNHIDE), FULL (and HIDE, DELIST)."
        ),
    ),
    (OrderStage, "What the channel's own status of an order means to the rules."),
    (PaymentStatus, "How far an order is paid."),
    (
        OrderVerdict,
        (
            "What became of an order that was seen: PENDING (not decided yet), IMPORTED, SKIPPED (a"
            " filter leaves it out), HELD (imports by itself once the cause is mended), UNSAVABLE "
            "(lacks what no order can be without; judged again when it changes there)."
        ),
    ),
    (OrderStatus, "Where an imported order stands here."),
    (ShipmentOrigin, "OURS (recorded here, to reach the channel) or CHANNEL (seen there)."),
    (
        ShipmentState,
        (
            "How far a shipment has come: RECORDED (not on the channel yet), PUSHED (on it), VOID "
            "(taken back; counts for nothing)."
        ),
    ),
    (ZeroCause, "Why a wanted quantity is zero."),
    (Scope, "What a token may do; ADMIN includes WRITE, WRITE includes READ."),
    (ImportState, "Where an import of a catalog file stands."),
    (StatementOutcome, "What became of a stated quantity; OLDER: a newer statement stands."),
):
    strawberry.enum(_kind, description=_text)


@strawberry.enum(description="The worst of a channel's conditions and its objects'.")
class Health(StrEnum):
    """How a channel is doing, best first."""

    HEALTHY = "HEALTHY"
    WAITING = "WAITING"
    NEEDS_ATTENTION = "NEEDS_ATTENTION"
    PAUSED = "PAUSED"


@strawberry.enum(description="What a stated quantity counts.")
class Basis(StrEnum):
    """How deductions apply to a statement."""

    ON_HAND = "ON_HAND"
    NET_OF_ORDERS = "NET_OF_ORDERS"


@strawberry.enum(description="ERROR: the row was not taken. NOTE: it was, with a remark.")
class Severity(StrEnum):
    """How bad a problem of an import is."""

    ERROR = "ERROR"
    NOTE = "NOTE"


@strawberry.enum(description="What asked for a run.")
class Trigger(StrEnum):
    """Origin of a run."""

    PERSON = "PERSON"
    SCHEDULE = "SCHEDULE"
    CHANGE = "CHANGE"
