"""A variation of the test platform that makes something else of what it is sent."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from reconcile.contract import AccountInfo, Adapter, Platform, Progress, Transport, Write
from tests.adapter_double import Credentials, DoubleAdapter
from tests.platform_double import double_platform
from tests.store_double import DoubleStore


class RewritingAdapter(DoubleAdapter):
    """Escapes titles as some stores do; or agrees to new prices and keeps the old ones."""

    keeps_prices = False

    def _escaped(self, write: Write) -> Write:
        content = dict(write.content)
        if "title" in content:
            content["title"] = str(content["title"]).replace("&", "&amp;")
        return replace(write, content=content)

    def publish(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Create with escaped titles."""
        return super().publish([self._escaped(write) for write in writes])

    def overwrite(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Send content, which arrives with escaped titles."""
        return super().overwrite([self._escaped(write) for write in writes])

    def sync(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Say yes; prices may stay what they were."""
        if self.keeps_prices:
            writes = [
                replace(
                    write,
                    variants=tuple(
                        replace(item, sync={k: v for k, v in item.sync.items() if k != "price"})
                        for item in write.variants
                    ),
                )
                for write in writes
            ]
        return super().sync(writes)


def rewriting_platform(store: DoubleStore, *, keeps_prices: bool = False) -> Platform:
    """The double platform with `RewritingAdapter` in front of the store."""

    def connect(
        credentials: object, settings: object, account: AccountInfo | None, transport: Transport
    ) -> Adapter:
        assert isinstance(credentials, Credentials)
        adapter = RewritingAdapter(platform, store, credentials, transport)
        adapter.keeps_prices = keeps_prices
        return adapter

    platform = replace(double_platform({"main": store}), connect=connect)
    return platform
