"""A variation of the test platform that publishes in several requests: all created, each shown."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from reconcile.contract import (
    AccountInfo,
    Adapter,
    Confirmation,
    ConfirmState,
    Platform,
    Progress,
    Sending,
    Step,
    Transport,
    Write,
)
from reconcile.core.actions import ActionKind
from tests.adapter_double import Credentials, DoubleAdapter
from tests.platform_double import double_platform
from tests.store_double import DoubleStore


class StagedAdapter(DoubleAdapter):
    """Creates invisible products in one request and shows each in a request of its own."""

    async def publish(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Steps `product` for all, then one result per product; a recorded step is not repeated."""
        new = [write for write in writes if write.step("product") is None]
        if new:
            yield Sending(tuple(write.key for write in new), "POST /products")
            await self._request(f"create {len(new)}")
            made: dict[str, str] = {}
            for write in new:
                result = self._applied("publish", write)
                made[write.key] = next(iter(result.refs.values())).listing
                self._store.products[made[write.key]].status = "draft"
            for key, product in made.items():
                yield Step(key, "product", product)
        for write in writes:
            yield Sending((write.key,), "PUT /products/{id}")
            await self._request(f"show {write.listing_id}")
            self._store.by_sku(write.variants[0].sku)[0].status = "publish"
            done = self._is_done(write)
            assert done is not None
            yield replace(done, key=write.key)

    async def confirm(self, writes: Sequence[Write]) -> Mapping[str, Confirmation]:
        """A product that is not shown yet is not published, but it stands."""
        answers = dict(await super().confirm(writes))
        for write in writes:
            answer = answers[write.key]
            if write.kind is ActionKind.PUBLISH and answer.state is ConfirmState.DONE:
                product = self._store.by_sku(write.variants[0].sku)[0]
                if product.status == "draft":
                    answers[write.key] = Confirmation(
                        ConfirmState.NOT_DONE,
                        "It is not shown.",
                        steps=(Step(write.key, "product", product.id),),
                    )
        return answers


def staged_platform(store: DoubleStore) -> Platform:
    """The double platform with `StagedAdapter` in front of the store."""

    def connect(
        credentials: object, settings: object, account: AccountInfo | None, transport: Transport
    ) -> Adapter:
        assert isinstance(credentials, Credentials)
        return StagedAdapter(platform, store, credentials, transport)

    platform = replace(double_platform({"main": store}), connect=connect)
    return platform
