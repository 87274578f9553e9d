"""The main job end to end on the test platform: link, sync, publish, import."""

import pytest

from reconcile.core.types import LinkState, Presence
from tests.reconcile.runtime.stage import IMPORT, LINK, PUBLISH, SYNC, Stage
from tests.store_double import variant

pytestmark = pytest.mark.anyio


async def test_link_sync_publish_import(stage: Stage) -> None:
    """What is there is linked, what differs is sent, what is missing is created or imported."""
    stage.store.add("Mug", variant("MUG", "9.9", 5))
    stage.store.add("Theirs", variant("THEIRS", "3", 2))
    await stage.offer("MUG", "8", 5)
    await stage.offer("PLATE", "4", 7)

    run = await stage.run(LINK)
    assert (run["state"], run["result"]) == ("REPORTED", "SUCCEEDED"), dict(run)
    assert (await stage.variant("MUG")).link_state is LinkState.LINKED

    run = await stage.run(SYNC)
    assert (run["state"], run["result"]) == ("REPORTED", "SUCCEEDED"), dict(run)
    assert stage.store.by_sku("MUG")[1].price == "8"
    assert await stage.states(run["id"]) == [("SYNC", "APPLIED")]

    run = await stage.run(PUBLISH, full=True)
    assert (run["state"], run["result"]) == ("REPORTED", "SUCCEEDED"), dict(run)
    product, item = stage.store.by_sku("PLATE")
    assert (product.title, item.price, item.quantity) == ("Title of PLATE", "4", 7)
    assert (await stage.variant("PLATE")).link_state is LinkState.LINKED

    run = await stage.run(IMPORT)
    assert (run["state"], run["result"]) == ("REPORTED", "SUCCEEDED"), dict(run)
    ours = await stage.variant("THEIRS")
    assert (ours.link_state, ours.presence) == (LinkState.LINKED, Presence.LISTED)

    for operation in (LINK, SYNC, PUBLISH, IMPORT):
        run = await stage.run(operation, full=True)
        assert await stage.actions(run["id"]) == [], operation
        assert run["result"] == "SUCCEEDED", (operation, dict(run))
