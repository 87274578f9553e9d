"""A few fixed seeds of the chaos, and that its checks see what they are there for."""

import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from tests.chaos.figures import Figures, percentile
from tests.chaos.ground import Ground
from tests.chaos.habits import platforms
from tests.chaos.scenarios import FaultKind, draw
from tests.chaos.story import LEASE_SECONDS, Stage, play
from tests.chaos.verdict import Sort

SEEDS = (8, 12)
"""Chosen for what they hold: kills of a worker, the server and PostgreSQL, and bad answers."""
CALM = 3
"""One shop that ships and publishes."""


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    """Run servers that may be killed, apart from those of the other tests."""
    folder = Path(tempfile.gettempdir()) / f"tallyport-chaos-{uuid.uuid4().hex[:8]}"
    with Ground(folder, Fernet.generate_key().decode()) as standing:
        yield standing


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_or_doubled_whatever_fails(
    seed: int, ground: Ground, tmp_path: Path
) -> None:
    """A scenario with kills and bad answers comes to rest with everything as it should be."""
    outcome = play(draw(seed, platforms()), ground, tmp_path / "scenario")

    said = [f"{each.sort}: {each.text}" for each in outcome.violations]
    assert said == [], "\n".join([*said, *outcome.story])
    assert outcome.struck, "nothing was made to fail"


@pytest.mark.timeout(240)
def test_the_checks_see_what_they_are_there_for(ground: Ground, tmp_path: Path) -> None:
    """Whatever is planted behind the product's back after a scenario is found by the checks."""

    def plant(stage: Stage) -> None:
        assert stage.verdict.all() == []
        [shop] = stage.shops
        held = shop.store.held()
        listed = [
            wish
            for wish in shop.page.wishes.values()
            if wish.presence == "LISTED" and wish.sku in held
        ]
        shop.store.reprice(listed[0].sku, "0.01")
        shop.store.delete(listed[-1].sku)
        made = next(row for row in shop.store.effects() if row["effect"] == "create")
        shop.page.wishes[made["sku"]].was_there = True
        order = next(order for order in shop.page.orders if order.sent)
        order.sent.append(replace(order.sent[0], tracking="never told"))
        shop.buy()

        found = [(violation.sort, violation.text) for violation in stage.verdict.all()]

        assert any(sort is Sort.WRONG and "0.01" in text for sort, text in found), found
        assert any(sort is Sort.LOST and "not on the store" in text for sort, text in found), found
        assert any(sort is Sort.DOUBLED and "created" in text for sort, text in found), found
        assert any(sort is Sort.LOST and "never told" in text for sort, text in found), found
        assert any(sort is Sort.LOST and "never seen" in text for sort, text in found), found

    outcome = play(draw(CALM, platforms(), kinds=()), ground, tmp_path / "s", afterwards=plant)

    assert outcome.violations == []


def test_a_seed_always_gives_the_same_scenario() -> None:
    """What failed can be played again."""
    assert draw(7, platforms()) == draw(7, platforms())
    assert draw(7, platforms()) != draw(8, platforms())


def test_every_fault_is_drawn_sooner_or_later() -> None:
    """No kind of fault is forgotten by the dice."""
    drawn = {fault.kind for seed in range(200) for fault in draw(seed, platforms()).faults}
    assert drawn == set(FaultKind)


def test_the_figures_say_the_words_that_count() -> None:
    """The four sums stand on a line each, figures first, and percentiles are of what was seen."""
    lines = Figures(LEASE_SECONDS).lines()
    assert {"0 lost", "0 doubled", "0 wrongly broken", "0 stuck"} <= set(lines)
    assert [percentile([1.0, 2.0, 3.0, 4.0], share) for share in (50, 95)] == [2.0, 4.0]
