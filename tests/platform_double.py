"""A complete tiny platform with a store in memory, for tests of commands and of the runtime.

It keeps the whole promise of `reconcile.contract`: reads in pages, all writes as generators with
steps and results, `confirm`, faults before and after the effect. Hiding works the way it does on
stores that cannot hide a variant: its quantity goes to zero and is remembered in `kept`; a product
in `draft` reads as HIDDEN.

    from tests.store_double import DoubleStore, variant
    store = DoubleStore()
    store.add("Mug", variant("MUG-1", price="9.9", quantity=5))
    platform = double_platform({"main": store})
    # credentials {"store": "main", "secret": "right"}; channel account "account-main", EUR
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation

from reconcile.contract import (
    AccountInfo,
    ActionSupport,
    Adapter,
    Identifier,
    OrderSupport,
    Platform,
    PresenceForm,
    Settings,
    Transport,
    setting,
)
from reconcile.core.actions import ActionKind
from reconcile.core.mapping import ChannelField, MappingRule, Template
from reconcile.core.types import (
    FieldGroup,
    FieldRole,
    Level,
    Operation,
    Presence,
    Value,
)
from tests.adapter_double import Credentials, DoubleAdapter
from tests.order_double import ORDER_TEMPLATES, GetOrdersSettings, SyncOrdersSettings
from tests.store_double import DoubleStore

# --- the platform record --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """Settings of the channel as a whole."""

    color: str = setting("Color", "Which color.", default="red", choices=("red", "blue"))
    pages: int = setting("Pages", "How many.", default=3)


@dataclass(frozen=True, slots=True)
class NoSettings:
    """This operation has no settings."""


@dataclass(frozen=True, slots=True)
class ImportSettings:
    """Settings of IMPORT_LISTINGS."""

    mode: str = setting(
        "Mode", "What to do.", default="create", choices=("create", "create_and_overwrite")
    )
    pause_new: bool = setting("Pause new", "New listings start paused.", default=False)


@dataclass(frozen=True, slots=True)
class PublishSettings:
    """Settings of PUBLISH_LISTINGS."""

    overwrite: bool = setting("Overwrite", "Send changed content.", default=False)


def _money(value: Value) -> str:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a price") from None
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{value!r} is not a price")
    return f"{amount.normalize():f}"


def canonical(name: str, value: Value) -> Value:
    """The stored form of a field's value."""
    match name:
        case "price":
            return _money(value)
        case "quantity":
            if isinstance(value, bool) or not isinstance(value, int):
                raise ValueError(f"{value!r} is not a quantity")  # noqa: TRY004 - the contract's
            return value
        case "title" | "description" | "barcode":
            if not isinstance(value, str):
                raise ValueError(f"{value!r} is not a text")  # noqa: TRY004 - the contract's
            return value.strip()
        case _:
            return value


def key(_identifier: str, value: str) -> str | None:
    """The stored form of an identifier: trimmed, otherwise exact."""
    return value.strip() or None


FIELDS = (
    ChannelField("price", "Price", FieldGroup.SYNC, FieldRole.PRICE, Level.VARIANT, "price"),
    ChannelField(
        "quantity", "Quantity", FieldGroup.SYNC, FieldRole.QUANTITY, Level.VARIANT, "quantity"
    ),
    ChannelField("title", "Title", FieldGroup.CONTENT, FieldRole.CONTENT, Level.LISTING, "content"),
    ChannelField(
        "description", "Text", FieldGroup.CONTENT, FieldRole.CONTENT, Level.LISTING, "content"
    ),
    ChannelField(
        "images",
        "Images",
        FieldGroup.CONTENT,
        FieldRole.CONTENT,
        Level.LISTING,
        "content",
        is_readable=False,
    ),
    ChannelField(
        "barcode", "Barcode", FieldGroup.CONTENT, FieldRole.CONTENT, Level.VARIANT, "content"
    ),
)
_SYNC_RULES = (MappingRule("list_price", "price"), MappingRule("quantity", "quantity"))
_CONTENT_RULES = (
    MappingRule("title", "title"),
    MappingRule("description", "description"),
    MappingRule("upc", "barcode"),
    MappingRule("images", "images", enabled=False),
)
_ORDERS = "The double has no orders."
_ORDER_OPERATIONS: dict[Operation, type[Settings]] = {
    Operation.GET_ORDERS: GetOrdersSettings,
    Operation.SYNC_ORDERS: SyncOrdersSettings,
}


def double_platform(
    stores: Mapping[str, DoubleStore],
    *,
    unsupported: Mapping[ActionKind, str] | None = None,
    batch_size: int = 100,
    orders: OrderSupport | None = None,
) -> Platform:
    """The platform record; its adapters reach the given stores by name.

    With `orders` (usually `order_double.ORDER_SUPPORT`) it has the order operations, too.
    """
    order_kinds = (ActionKind.ACKNOWLEDGE, ActionKind.FULFILL, ActionKind.CLOSE)
    without = dict(unsupported or {})
    kinds = (
        ActionKind.IMPORT,
        ActionKind.PUBLISH,
        ActionKind.OVERWRITE,
        ActionKind.SYNC,
        ActionKind.HIDE,
        ActionKind.UNHIDE,
        ActionKind.DELIST,
    )

    def connect(
        credentials: object, settings: object, account: AccountInfo | None, transport: Transport
    ) -> Adapter:
        assert isinstance(credentials, Credentials)
        return DoubleAdapter(platform, stores.get(credentials.store), credentials, transport)

    def base_url(credentials: object) -> str:
        assert isinstance(credentials, Credentials)
        if "/" in credentials.store:
            raise ValueError("The name of a store holds no slash.")
        return f"double://{credentials.store}"

    platform = Platform(
        name="double",
        title="Double",
        credentials=Credentials,
        settings=ChannelSettings,
        operations={
            Operation.IMPORT_LISTINGS: ImportSettings,
            Operation.LINK_LISTINGS: NoSettings,
            Operation.SYNC_LISTINGS: NoSettings,
            Operation.PUBLISH_LISTINGS: PublishSettings,
        }
        | (_ORDER_OPERATIONS if orders else {}),
        unsupported_operations={} if orders else dict.fromkeys(_ORDER_OPERATIONS, _ORDERS),
        actions={
            kind: ActionSupport(batch_size)
            for kind in (*kinds, *(order_kinds if orders else ()))
            if kind not in without
        },
        orders=orders,
        unsupported_actions=without,
        our_identifiers=(Identifier("sku", "SKU"), Identifier("upc", "UPC")),
        their_identifiers=(Identifier("sku", "SKU"), Identifier("barcode", "Barcode")),
        linking_pairs=frozenset({("sku", "sku"), ("sku", "barcode"), ("upc", "barcode")}),
        fields=FIELDS,
        templates={
            Operation.SYNC_LISTINGS: Template(_SYNC_RULES),
            Operation.PUBLISH_LISTINGS: Template(_SYNC_RULES + _CONTENT_RULES),
        }
        | (ORDER_TEMPLATES if orders else {}),
        presence={
            Presence.LISTED: PresenceForm(is_readable=True, explanation="For sale."),
            Presence.HIDDEN: PresenceForm(
                is_readable=False,
                overwrites=frozenset({"quantity"}),
                write_group="quantity",
                explanation="Quantity zero.",
            ),
            Presence.DELISTED: PresenceForm(is_readable=True, explanation="Deleted."),
        },
        canonical=canonical,
        key=key,
        settle_time=timedelta(minutes=2),
        connect=connect,
        base_url=base_url,
        manual_only=frozenset({Operation.IMPORT_LISTINGS}),
    )
    return platform
