"""A SKU that the store has already, on a product that cannot be linked by itself."""

import pytest

from reconcile.commands.channels import ChannelEdit, edit
from tests.reconcile.runtime.stage import LINK, PUBLISH, Stage
from tests.store_double import variant

pytestmark = pytest.mark.anyio


async def test_a_person_is_asked_once_instead_of_publishing_again_and_again(stage: Stage) -> None:
    """Linked by barcode, the product with our SKU is no candidate: it fails with what to do."""
    choice = ChannelEdit(our_identifier="upc", their_identifier="barcode")
    await edit(stage.deps, stage.channel_id, choice, by="test")
    stage.store.add("Mug", variant("MUG", "9.9", 5))
    await stage.run(LINK, full=True)
    await stage.offer("MUG", "8", 5, upc="4006381333931")

    run = await stage.run(PUBLISH, full=True)
    assert await stage.states(run["id"]) == [("PUBLISH", "FAILED")]
    (action,) = await stage.actions(run["id"])
    assert "Link it by hand" in action["outcome_message"]

    again = await stage.run(PUBLISH, full=True)
    assert await stage.states(again["id"]) == []
    assert again["result"] == "PARTIAL"
    assert len(stage.store.products) == 1
