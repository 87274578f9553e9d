"""The WooCommerce adapter: the contract's methods, each handed to the module it belongs to."""

from collections.abc import AsyncIterator, Mapping, Sequence

from adapters.woocommerce import account
from adapters.woocommerce.bodies import Known
from adapters.woocommerce.client import Client
from adapters.woocommerce.confirming import Confirming
from adapters.woocommerce.delisting import Delisting
from adapters.woocommerce.fulfilling import Fulfilling
from adapters.woocommerce.mapping import StoreView
from adapters.woocommerce.order_client import OrderClient
from adapters.woocommerce.order_reading import OrderReader
from adapters.woocommerce.overwriting import Overwriting
from adapters.woocommerce.preparing import Preparing
from adapters.woocommerce.publishing import Publishing
from adapters.woocommerce.selling import Selling
from adapters.woocommerce.settings import ChannelSettings, Credentials
from adapters.woocommerce.terms import Terms
from adapters.woocommerce.walk import Reader
from reconcile.contract import (
    AccountInfo,
    Adapter,
    Confirmation,
    ListingPage,
    OrderPage,
    OrderReadResult,
    OrderWindow,
    OrderWrite,
    Platform,
    Progress,
    ReadResult,
    RejectedOrder,
    Transport,
    Write,
)
from reconcile.core.remote_order_types import RemoteOrder
from reconcile.core.types import RemoteRef, Value


class WooCommerceAdapter(Adapter):
    """Speaks to one WooCommerce store."""

    def __init__(
        self,
        platform: Platform,
        credentials: Credentials,
        settings: ChannelSettings,
        known: AccountInfo | None,
        transport: Transport,
    ) -> None:
        super().__init__(platform)
        self._known = known
        self._client = Client(credentials, settings, transport)
        features = known.features if known else frozenset()
        self._terms = Terms(self._client)
        view = StoreView(
            currency=known.currency if known else None,
            weight_unit=account.unit(features, "weight_unit", settings.weight_unit),
            dimension_unit=account.unit(features, "dimension_unit", settings.dimension_unit),
        )
        self._reader = Reader(self._client, self._terms, view)
        self._selling = Selling(self._client, self._reader, settings.batch_size)
        self._delisting = Delisting(self._client, self._reader, settings.batch_size)
        known_terms = Known(view.weight_unit, view.dimension_unit, "brands" in features)
        preparing = Preparing(self._terms, known_terms)
        self._publishing = Publishing(self._client, self._reader, preparing, settings)
        self._overwriting = Overwriting(self._client, self._reader, preparing, settings)
        self._confirming = Confirming(self._client, self._reader, settings)
        orders = OrderClient(self._client)
        has_filter = account.filters_by_change(known)
        self._orders = OrderReader(orders, has_modified_after=has_filter)
        self._fulfilling = Fulfilling(orders, self._orders)

    async def check(self) -> AccountInfo:
        """Identity and currency, in one request."""
        return await account.check(self._client, self._known)

    async def connect_check(self) -> AccountInfo:
        """Identity, the key's permissions and what the store can do."""
        return await account.connect_check(self._client)

    def listings(
        self, cursor: Mapping[str, Value] | None, *, with_content: bool = True
    ) -> AsyncIterator[ListingPage]:
        """All products in id order."""
        return self._reader.walk(cursor, with_content=with_content)

    async def read(
        self, refs: Sequence[RemoteRef], *, with_content: bool = True
    ) -> Mapping[RemoteRef, ReadResult]:
        """Each object by id."""
        return await self._reader.read(refs, with_content=with_content)

    def publish(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """New products, after a look for ones that exist."""
        return self._publishing.publish(writes)

    def overwrite(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Changed content."""
        return self._overwriting.overwrite(writes)

    def sync(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Prices and quantities."""
        return self._selling.sync(writes)

    def hide(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Out of stock until unhidden."""
        return self._selling.hide(writes)

    def unhide(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Back with what hiding overwrote."""
        return self._selling.unhide(writes)

    def delist(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Delete for good."""
        return self._delisting.delist(writes)

    async def confirm(self, writes: Sequence[Write]) -> Mapping[str, Confirmation]:
        """Whether actions with an unknown outcome happened."""
        return await self._confirming.confirm(writes)

    def orders(
        self, window: OrderWindow, cursor: Mapping[str, Value] | None
    ) -> AsyncIterator[OrderPage]:
        """Orders that changed in a window, in id order."""
        return self._orders.walk(window, cursor)

    async def read_orders(self, ids: Sequence[str]) -> Mapping[str, OrderReadResult]:
        """Each order by id."""
        return await self._orders.read(ids)

    async def find_order(self, number: str) -> Sequence[RemoteOrder | RejectedOrder]:
        """Orders that people call by this number."""
        return await self._orders.find(number)

    def fulfill(self, writes: Sequence[OrderWrite]) -> AsyncIterator[Progress]:
        """Shipments, where the settings want them."""
        return self._fulfilling.fulfill(writes)

    def close(self, writes: Sequence[OrderWrite]) -> AsyncIterator[Progress]:
        """Set orders to completed."""
        return self._fulfilling.close(writes)

    async def confirm_orders(self, writes: Sequence[OrderWrite]) -> Mapping[str, Confirmation]:
        """Whether writes to orders with an unknown outcome happened."""
        return await self._fulfilling.confirm(writes)
