"""A variation of the test platform whose pages state a wrong total or leave products out."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reconcile.contract import (
    AccountInfo,
    Adapter,
    Gone,
    ListingPage,
    Platform,
    ReadResult,
    Transport,
    UnexpectedResponseError,
)
from reconcile.core.types import RemoteRef, Value
from tests.adapter_double import Credentials, DoubleAdapter
from tests.platform_double import double_platform
from tests.store_double import DoubleStore


@dataclass
class Lies:
    """What the pages say that is not so."""

    total: int | None = None
    """Stated instead of the true number of products."""
    left_out: set[str] = field(default_factory=set)
    """Ids of products that a walk does not show, though a read by id does."""
    unreadable: set[str] = field(default_factory=set)
    """Ids of products that no answer is understood of."""
    gone: set[str] = field(default_factory=set)
    """Ids of products that a read by id says are gone."""


class LyingAdapter(DoubleAdapter):
    """The double's adapter with lies in its pages."""

    lies: Lies

    async def listings(
        self, cursor: Mapping[str, Value] | None, *, with_content: bool = True
    ) -> AsyncIterator[ListingPage]:
        """The true pages, made untrue."""
        async for page in super().listings(cursor, with_content=with_content):
            hidden = self.lies.left_out | self.lies.unreadable
            rows = tuple(row for row in page.rows if row.id not in hidden)
            rejected = tuple(row.id for row in page.rows if row.id in self.lies.unreadable)
            total = page.total if self.lies.total is None else self.lies.total
            left = 0 if self.lies.total is not None else len(self.lies.left_out)
            total = None if total is None else total - left
            yield replace(page, rows=rows, rejected=rejected, total=total)

    async def read(
        self, refs: Sequence[RemoteRef], *, with_content: bool = True
    ) -> Mapping[RemoteRef, ReadResult]:
        """The truth, unless one of them is said to be gone or is not understood."""
        if any(ref.listing in self.lies.unreadable for ref in refs):
            raise UnexpectedResponseError("The answer makes no sense.")
        found = await super().read(refs, with_content=with_content)
        gone = Gone("Deleted", "No such product.")
        return {ref: gone if ref.listing in self.lies.gone else row for ref, row in found.items()}


def lying_platform(store: DoubleStore, lies: Lies) -> Platform:
    """The double platform with `LyingAdapter` in front of the store."""

    def connect(
        credentials: object, settings: object, account: AccountInfo | None, transport: Transport
    ) -> Adapter:
        assert isinstance(credentials, Credentials)
        adapter = LyingAdapter(platform, store, credentials, transport)
        adapter.lies = lies
        return adapter

    platform = replace(double_platform({"main": store}), connect=connect)
    return platform
