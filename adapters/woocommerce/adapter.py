"""The WooCommerce adapter: the contract's methods, each handed to the module it belongs to."""

from collections.abc import AsyncIterator, Mapping, Sequence

from adapters.woocommerce import account
from adapters.woocommerce.client import Client
from adapters.woocommerce.delisting import Delisting
from adapters.woocommerce.mapping import StoreView
from adapters.woocommerce.selling import Selling
from adapters.woocommerce.settings import ChannelSettings, Credentials
from adapters.woocommerce.terms import Terms
from adapters.woocommerce.walk import Reader
from reconcile.contract import (
    AccountInfo,
    Adapter,
    ListingPage,
    Platform,
    Progress,
    ReadResult,
    Transport,
    Write,
)
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
        self._delisting = Delisting(self._client, settings.batch_size)

    async def check(self) -> AccountInfo:
        """Identity and currency, in one request."""
        return await account.check(self._client, self._known)

    async def connect_check(self) -> AccountInfo:
        """Identity, the key's permissions and what the store can do."""
        return await account.connect_check(self._client)

    def listings(self, cursor: Mapping[str, Value] | None) -> AsyncIterator[ListingPage]:
        """All products in id order."""
        return self._reader.walk(cursor)

    async def read(self, refs: Sequence[RemoteRef]) -> Mapping[RemoteRef, ReadResult]:
        """Each object by id."""
        return await self._reader.read(refs)

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
