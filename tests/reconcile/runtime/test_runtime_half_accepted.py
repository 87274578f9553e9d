"""A product that the store created without all it was to have."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.contract import AccountInfo, Adapter, Platform, Progress, Result, Transport, Write
from reconcile.core.actions import Outcome
from reconcile.core.types import LinkState
from tests.adapter_double import Credentials, DoubleAdapter
from tests.platform_double import double_platform
from tests.reconcile.runtime.stage import PUBLISH, SYNC, make_stage
from tests.store_double import DoubleStore

pytestmark = pytest.mark.anyio


class DroppingAdapter(DoubleAdapter):
    """Creates products with another price than was sent, and says so."""

    async def publish(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """The double's publish, with the price dropped at the end."""
        async for event in super().publish(writes):
            if not isinstance(event, Result):
                yield event
                continue
            for ref in event.refs.values():
                self._store.products[ref.listing].variants[0].price = "1"
            yield replace(
                event, outcome=Outcome.FAILED, code="NotAccepted", message="price was not taken"
            )


def dropping_platform(store: DoubleStore) -> Platform:
    """The double platform with `DroppingAdapter` in front of the store."""

    def connect(
        credentials: object, settings: object, account: AccountInfo | None, transport: Transport
    ) -> Adapter:
        assert isinstance(credentials, Credentials)
        return DroppingAdapter(platform, store, credentials, transport)

    platform = replace(double_platform({"main": store}), connect=connect)
    return platform


async def test_what_was_created_is_linked_and_mended(engine: AsyncEngine) -> None:
    """It is linked at once, nothing is created again, and a sync brings the price."""
    store = DoubleStore()
    stage = make_stage(engine, platform=dropping_platform(store), store=store)
    await stage.connect()
    await stage.offer("MUG", "8", 5)

    run = await stage.run(PUBLISH, full=True)
    assert await stage.states(run["id"]) == [("PUBLISH", "FAILED")]
    assert (await stage.variant("MUG")).link_state is LinkState.LINKED

    await stage.run(SYNC, full=True)
    assert store.by_sku("MUG")[1].price == "8"
    assert len(store.products) == 1
