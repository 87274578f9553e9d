"""The base class of adapters: the methods, and the answer of those a platform does not have."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from reconcile.contract.errors import UnsupportedError
from reconcile.contract.orders import (
    OrderPage,
    OrderReadResult,
    OrderWindow,
    OrderWrite,
    RejectedOrder,
)
from reconcile.contract.reading import AccountInfo, ListingPage, ReadResult
from reconcile.contract.writing import Confirmation, Progress, Write
from reconcile.core.actions import ActionKind
from reconcile.core.remote_order_types import RemoteOrder
from reconcile.core.types import RemoteRef, Value

if TYPE_CHECKING:
    from reconcile.contract.platform import Platform


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

    # --- orders -----------------------------------------------------------------------------

    def orders(
        self, window: OrderWindow, cursor: Mapping[str, Value] | None
    ) -> AsyncIterator[OrderPage]:
        """Orders of a window in a stable order, from the start or from where `cursor` says."""
        raise self._unsupported("reading orders")

    async def read_orders(self, ids: Sequence[str]) -> Mapping[str, OrderReadResult]:
        """Each order by its id on the platform, or `Gone`; raises on anything else."""
        raise self._unsupported("reading orders")

    async def find_order(self, number: str) -> Sequence[RemoteOrder | RejectedOrder]:
        """Orders that people call by this number; usually one or none."""
        raise self._unsupported("finding orders")

    def acknowledge(self, writes: Sequence[OrderWrite]) -> AsyncIterator[Progress]:
        """Mark imported orders on the platform."""
        raise self._unsupported("acknowledging orders")

    def fulfill(self, writes: Sequence[OrderWrite]) -> AsyncIterator[Progress]:
        """Put shipments on their orders; what is there already is found, not repeated."""
        raise self._unsupported("sending shipments")

    def close(self, writes: Sequence[OrderWrite]) -> AsyncIterator[Progress]:
        """Close orders on the platform."""
        raise self._unsupported("closing orders")

    async def confirm_orders(self, writes: Sequence[OrderWrite]) -> Mapping[str, Confirmation]:
        """By key: did an action with an unknown outcome happen? Reads only."""
        raise self._unsupported("confirming")

    async def aclose(self) -> None:
        """Release connections."""


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

OrderCall: TypeAlias = Callable[[Adapter, Sequence[OrderWrite]], AsyncIterator[Progress]]

ORDER_WRITES: Mapping[ActionKind, OrderCall] = {
    ActionKind.ACKNOWLEDGE: lambda adapter, writes: adapter.acknowledge(writes),
    ActionKind.FULFILL: lambda adapter, writes: adapter.fulfill(writes),
    ActionKind.CLOSE: lambda adapter, writes: adapter.close(writes),
}
"""How an action on an order becomes a call."""
