"""WooCommerce (REST API wc/v3): the record the rest of the product knows it by."""

from datetime import timedelta
from typing import Any

from adapters.woocommerce import fields
from adapters.woocommerce.adapter import WooCommerceAdapter
from adapters.woocommerce.canonical import canonical, key
from adapters.woocommerce.catalog import WooCommerceCatalog
from adapters.woocommerce.order_fields import ORDER_TEMPLATES, ORDERS
from adapters.woocommerce.settings import (
    ChannelSettings,
    Credentials,
    GetOrdersSettings,
    ImportSettings,
    LinkSettings,
    PublishSettings,
    SyncOrdersSettings,
    SyncSettings,
    base_url,
)
from reconcile.contract import AccountInfo, ActionSupport, Adapter, Platform, Settings, Transport
from reconcile.core.actions import ActionKind
from reconcile.core.types import Operation


def _credentials(credentials: Settings) -> Credentials:
    if not isinstance(credentials, Credentials):
        raise TypeError("credentials of another platform")
    return credentials


def _connect(
    credentials: Settings, settings: Settings, known: AccountInfo | None, transport: Transport
) -> Adapter:
    if not isinstance(settings, ChannelSettings):
        raise TypeError("channel settings of another platform")
    return WooCommerceAdapter(PLATFORM, _credentials(credentials), settings, known, transport)


def _base_url(credentials: Settings) -> str:
    return base_url(_credentials(credentials).domain)


def _sandbox(*args: Any, **options: Any) -> Any:
    """Start the simulator; its options are its own, hence `Any`."""
    # Imported on use: a server that serves real stores does not load a simulator.
    from adapters.woocommerce.sandbox import create_sandbox  # noqa: PLC0415

    return create_sandbox(*args, **options)


PLATFORM = Platform(
    name="woocommerce",
    title="WooCommerce",
    credentials=Credentials,
    settings=ChannelSettings,
    operations={
        Operation.IMPORT_LISTINGS: ImportSettings,
        Operation.LINK_LISTINGS: LinkSettings,
        Operation.SYNC_LISTINGS: SyncSettings,
        Operation.PUBLISH_LISTINGS: PublishSettings,
        Operation.GET_ORDERS: GetOrdersSettings,
        Operation.SYNC_ORDERS: SyncOrdersSettings,
    },
    unsupported_operations={},
    actions={
        ActionKind.PUBLISH: ActionSupport(batch_size=100),
        ActionKind.OVERWRITE: ActionSupport(batch_size=100),
        ActionKind.SYNC: ActionSupport(batch_size=100),
        ActionKind.HIDE: ActionSupport(batch_size=100),
        ActionKind.UNHIDE: ActionSupport(batch_size=100),
        ActionKind.DELIST: ActionSupport(batch_size=100),
        ActionKind.FULFILL: ActionSupport(),
        ActionKind.CLOSE: ActionSupport(),
    },
    unsupported_actions={
        ActionKind.ACKNOWLEDGE: "WooCommerce has nothing by which an order is acknowledged",
    },
    our_identifiers=fields.OUR_IDENTIFIERS,
    their_identifiers=fields.THEIR_IDENTIFIERS,
    linking_pairs=fields.LINKING_PAIRS,
    fields=fields.FIELDS,
    templates={**fields.TEMPLATES, **ORDER_TEMPLATES},
    presence=fields.PRESENCE,
    canonical=canonical,
    key=key,
    # A store was seen to go on creating 100 rows after its client had given up.
    settle_time=timedelta(minutes=2),
    connect=_connect,
    base_url=_base_url,
    manual_only=frozenset({Operation.IMPORT_LISTINGS}),
    max_in_flight=1,
    orders=ORDERS,
    catalog=WooCommerceCatalog(),
    sandbox=_sandbox,
)
