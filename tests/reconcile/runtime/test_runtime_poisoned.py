"""A poisoned row: one that nobody can work with must not stop its batch, nor its channel."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.contract import (
    AccountInfo,
    Adapter,
    Effect,
    Platform,
    Progress,
    Result,
    Transport,
    Write,
)
from reconcile.core.types import RemoteListing
from reconcile.looking import MOST_LOOKS_FOR
from tests.adapter_double import Credentials, DoubleAdapter
from tests.platform_double import double_platform
from tests.reconcile.runtime.stage import SYNC, Stage, make_stage
from tests.store_double import DoubleStore, timed_out

pytestmark = pytest.mark.anyio

ROWS = 12
A_DAY = MOST_LOOKS_FOR
POISONED = "S0007"
NONSENSE = """
UPDATE actions SET changes = '["nonsense"]' WHERE variant_id =
    (SELECT id FROM listing_variants WHERE sku = :sku) AND finished_at IS NULL
"""


class BrittleAdapter(DoubleAdapter):
    """Has a defect that one product brings to light."""

    async def sync(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """As ever, but for that product."""
        if any(write.variants[0].sku == POISONED for write in writes):
            raise KeyError(POISONED)
        async for event in super().sync(writes):
            yield event


class MumblingAdapter(DoubleAdapter):
    """Gives an answer for one product that makes no sense, after the effect."""

    async def sync(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """As ever, but for that product."""
        keys = {write.key for write in writes if write.variants[0].sku == POISONED}
        async for event in super().sync(writes):
            if isinstance(event, Result) and event.key in keys:
                nonsense = cast("RemoteListing", object())
                yield replace(event, observed=(nonsense,))
            else:
                yield event


def brittle_platform(store: DoubleStore, adapter: type[DoubleAdapter] = BrittleAdapter) -> Platform:
    """The double platform with a defect in front of the store."""

    def connect(
        credentials: object, settings: object, account: AccountInfo | None, transport: Transport
    ) -> Adapter:
        assert isinstance(credentials, Credentials)
        return adapter(platform, store, credentials, transport)

    platform = replace(double_platform({"main": store}), connect=connect)
    return platform


async def _ends(stage: Stage, run_id: int) -> set[tuple[str, str | None]]:
    """State and reason of the actions of a run."""
    return {(row["state"], row["outcome_code"]) for row in await stage.actions(run_id)}


def _prices(stage: Stage, skus: Sequence[str]) -> dict[str, str | None]:
    return {sku: stage.store.by_sku(sku)[1].price for sku in skus}


async def _raised(stage: Stage) -> list[str]:
    """All prices raised on our side; the SKUs."""
    skus = await stage.linked(ROWS)
    for sku in skus:
        await stage.offer(sku, "12")
    return skus


async def test_a_row_that_cannot_be_put_together(stage: Stage) -> None:
    """Such a row FAILED with its reason; the others of its batch went out, in one request."""
    skus = await _raised(stage)
    stage.store.fail(timed_out(effect=Effect.NONE), "sync")
    run_id = await stage.ask(SYNC)
    await stage.settle()
    await stage.change(NONSENSE, sku=POISONED)
    stage.store.requests.clear()
    stage.clock.advance(timedelta(seconds=30))
    await stage.settle()
    assert _prices(stage, skus) == {sku: "10" if sku == POISONED else "12" for sku in skus}
    assert stage.store.writes() == [f"sync {ROWS - 1}"]
    assert await _ends(stage, run_id) == {("APPLIED", None), ("FAILED", "InternalError")}
    assert (await stage.run_row(run_id))["result"] == "PARTIAL"
    again = await stage.run(SYNC)
    assert await stage.states(again["id"]) == [], "bound to its input: no try before that changes"


async def test_a_row_that_cannot_be_looked_at(stage: Stage) -> None:
    """Of a batch with an unknown outcome all others are found out; the one is for a person."""
    skus = await _raised(stage)
    stage.store.fail(timed_out(), "sync", after_effect=True)
    run_id = await stage.ask(SYNC)
    await stage.settle()
    await stage.change(NONSENSE, sku=POISONED)
    stage.clock.advance(timedelta(seconds=30))
    await stage.settle()
    assert await _ends(stage, run_id) == {("APPLIED", None), ("UNKNOWN", "Unknown")}
    await stage.change("UPDATE actions SET sent_at = sent_at - CAST(:a AS interval)", a=A_DAY)
    stage.clock.advance(timedelta(hours=1))
    await stage.settle()
    assert await _ends(stage, run_id) == {("APPLIED", None), ("FAILED", "OutcomeUnknown")}
    assert stage.store.writes() == [f"sync {ROWS}"]
    assert set(_prices(stage, skus).values()) == {"12"}


async def test_an_answer_that_cannot_be_recorded(engine: AsyncEngine) -> None:
    """What a row did cannot be written down: the others are, and it is not sent once more."""
    store = DoubleStore()
    stage = make_stage(engine, platform=brittle_platform(store, MumblingAdapter), store=store)
    await stage.connect()
    await _raised(stage)
    run = await stage.run(SYNC)
    assert await _ends(stage, run["id"]) == {("APPLIED", None), ("FAILED", "InternalError")}
    assert run["result"] == "PARTIAL"
    await stage.run(SYNC)
    assert store.writes() == [f"sync {ROWS}"]


async def test_a_defect_that_one_row_brings_to_light(engine: AsyncEngine) -> None:
    """An adapter that breaks before its first request is tried with halves: eleven rows arrive."""
    store = DoubleStore()
    stage = make_stage(engine, platform=brittle_platform(store), store=store)
    await stage.connect()
    skus = await _raised(stage)
    run_id = await stage.ask(SYNC)
    await stage.settle()
    assert _prices(stage, skus) == {sku: "10" if sku == POISONED else "12" for sku in skus}
    for _ in range(12):
        stage.clock.advance(timedelta(hours=1))
        await stage.settle()
    assert await _ends(stage, run_id) == {("APPLIED", None), ("FAILED", "InternalError")}
    assert (await stage.run_row(run_id))["result"] == "PARTIAL"
