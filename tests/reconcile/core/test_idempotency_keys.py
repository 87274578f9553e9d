"""Canonical JSON and keys."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.core.actions import Action, ActionKind, Change, Reason
from reconcile.core.keys import canonical_json, input_hash, keyed
from reconcile.core.types import RemoteRef, Value
from reconcile.core.values import amount_of, differing, same

json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)

ACTION = Action(
    kind=ActionKind.SYNC,
    listing_id="1",
    variant_id="2",
    group="stock",
    reason=Reason("Differs", "differs"),
    remote=RemoteRef("p", "v"),
    changes=(Change("price", "1", "2"), Change("quantity", 3, 4)),
)


@given(json_values, json_values)
def test_equal_text_means_equal_value(left: Value, right: Value) -> None:
    """Two values have one text exactly where they are the same JSON."""
    assert (canonical_json(left) == canonical_json(right)) is same(left, right)
    assert (input_hash(left) == input_hash(right)) is same(left, right)


@given(st.dictionaries(st.text(max_size=3), json_values, max_size=4))
def test_the_order_of_names_does_not_matter(values: dict[str, Value]) -> None:
    """A mapping read back to front has the same text."""
    assert canonical_json(dict(reversed(values.items()))) == canonical_json(values)


@pytest.mark.parametrize("bad", [1.5, {"a": [0.0]}, {1: "a"}, object()])
def test_what_has_no_exact_text_is_refused(bad: Value) -> None:
    """Floats and what is not JSON cannot become part of a key."""
    with pytest.raises(TypeError, match="canonical value"):
        canonical_json(bad)


@pytest.mark.parametrize(
    "other",
    [
        replace(ACTION, kind=ActionKind.HIDE),
        replace(ACTION, variant_id="3"),
        replace(ACTION, variant_id=None),
        replace(ACTION, group="price"),
        replace(ACTION, remote=RemoteRef("p", "w")),
        replace(ACTION, remote=None),
        replace(ACTION, changes=ACTION.changes[:1]),
        replace(ACTION, changes=(Change("price", "1", "3"), ACTION.changes[1])),
        replace(ACTION, changes=(Change("price", "0", "2"), ACTION.changes[1])),
        replace(ACTION, variant_ids=("7",)),
    ],
)
def test_a_different_action_has_a_different_key(other: Action) -> None:
    """Everything an action would do is in its key."""
    assert keyed(other, "1").key != keyed(ACTION, "1").key


def test_a_key_ignores_order_and_words() -> None:
    """The order of changes and the sentence of the reason are not what an action does."""
    same_action = replace(
        ACTION, changes=ACTION.changes[::-1], reason=Reason("Differs", "in other words")
    )
    assert keyed(same_action, "1").key == keyed(ACTION, "1").key
    assert keyed(ACTION, "2").key != keyed(ACTION, "1").key


def test_objects_are_named_by_what_they_are() -> None:
    """An action occupies a variant, a listing, or a product of theirs that we do not have yet."""
    assert ACTION.object_id == "variant:2"
    assert replace(ACTION, variant_id=None).object_id == "listing:1"
    assert replace(ACTION, variant_id=None, listing_id="").object_id == "remote:p"


def test_differences_are_those_of_json() -> None:
    """A missing name is a difference, `true` is not 1, and no statement is never one."""
    assert differing({"a": 1, "b": None, "c": "x"}, {"a": True, "c": "x"}) == (
        Change("a", True, 1),
    )
    assert differing({}, {"a": 1}) == ()


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        ("12.50", "12.5"),
        (3, "3"),
        ({"amount": "1.10", "currency": "EUR"}, "1.1"),
        ("free", None),
        ("NaN", None),
        (True, None),
        (None, None),
        ([], None),
    ],
)
def test_amounts_are_exact(value: Value, amount: str | None) -> None:
    """A price is a decimal number, whether plain or money; anything else is none."""
    found = amount_of(value)
    assert (None if found is None else str(found.normalize())) == amount
