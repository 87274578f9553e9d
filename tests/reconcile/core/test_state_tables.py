"""State machines: reachable, without exits from the end, and commands that say when not."""

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import TypeVar

import pytest

from reconcile.core.states import (
    ACTION_MOVES,
    FINAL_ACTION_STATES,
    FINAL_RUN_STATES,
    FINISHED_RUN_STATES,
    LINK_MOVES,
    LINK_TABLE,
    RUN_MOVES,
    UNLINKED_CODES,
    ActionState,
    Command,
    LinkEvent,
    RunState,
    can_move,
    check_command,
)
from reconcile.core.types import LinkState, Presence, SeenPresence, Variant
from tests.reconcile.core.samples import linked, remote, unlinked

S = TypeVar("S", bound=StrEnum)


def reachable(table: Mapping[S, frozenset[S]], start: S) -> set[S]:
    """Every state that can be come to."""
    found = {start}
    todo = [start]
    while todo:
        for state in table[todo.pop()] - found:
            found.add(state)
            todo.append(state)
    return found


@pytest.mark.parametrize(
    ("table", "start"),
    [
        (RUN_MOVES, RunState.QUEUED),
        (ACTION_MOVES, ActionState.PLANNED),
        (LINK_TABLE, LinkState.UNLINKED),
    ],
)
def test_every_state_is_reachable(
    table: Mapping[StrEnum, frozenset[StrEnum]], start: StrEnum
) -> None:
    """No state is there that nothing leads to, and the table names every state."""
    assert reachable(table, start) == set(table) == set(type(start))


def test_every_unfinished_state_can_end() -> None:
    """From each state an end can be reached, and an end has no exit."""
    for state in ActionState:
        assert reachable(ACTION_MOVES, state) & FINAL_ACTION_STATES
    for run_state in RunState:
        assert reachable(RUN_MOVES, run_state) & FINISHED_RUN_STATES
    for final in FINAL_ACTION_STATES:
        assert not ACTION_MOVES[final]
    for final_run in FINAL_RUN_STATES:
        assert not RUN_MOVES[final_run]
    assert {ActionState.APPLIED, ActionState.CANCELED} <= FINAL_ACTION_STATES
    assert RunState.CANCELED in FINAL_RUN_STATES


def test_what_may_have_happened_is_not_canceled() -> None:
    """An action on its way, or with an unknown outcome, is looked at and never just dropped."""
    for state in (ActionState.SENDING, ActionState.UNKNOWN):
        assert not can_move(ACTION_MOVES, state, ActionState.CANCELED)
        assert not can_move(ACTION_MOVES, state, ActionState.SKIPPED)
    assert can_move(ACTION_MOVES, ActionState.REFUSED, ActionState.DUE)
    assert not can_move(ACTION_MOVES, ActionState.REFUSED, ActionState.SENDING)
    assert can_move(RUN_MOVES, RunState.REPORTED, RunState.EXECUTING)


def test_broken_is_left_by_a_person_or_a_delisting_only() -> None:
    """No event of a run brings a broken link back."""
    leaving = {event for state, event in LINK_MOVES if state is LinkState.BROKEN}
    assert leaving == {LinkEvent.LINK, LinkEvent.UNLINK, LinkEvent.END}
    assert set(UNLINKED_CODES.values()) == {LinkState.UNLINKED, LinkState.AMBIGUOUS}


hidden = linked(presence=Presence.HIDDEN)
delisted = linked(presence=Presence.DELISTED)
broken = linked(link=LinkState.BROKEN)


@pytest.mark.parametrize(
    ("command", "variant", "code"),
    [
        (Command.HIDE, linked(), None),
        (Command.HIDE, unlinked(), None),
        (Command.HIDE, hidden, "AlreadyHidden"),
        (Command.HIDE, delisted, "Delisted"),
        (Command.UNHIDE, hidden, None),
        (Command.UNHIDE, linked(remote(presence=SeenPresence.HIDDEN)), None),
        (Command.UNHIDE, linked(kept={}), None),
        (Command.UNHIDE, linked(), "NotHidden"),
        (Command.UNHIDE, delisted, "Delisted"),
        (Command.DELIST, linked(), None),
        (Command.DELIST, delisted, "AlreadyDelisted"),
        (Command.RELIST, delisted, None),
        (Command.RELIST, hidden, "NotDelisted"),
        (Command.LINK, unlinked(), None),
        (Command.LINK, broken, None),
        (Command.LINK, linked(), "AlreadyLinked"),
        (Command.UNLINK, linked(), None),
        (Command.UNLINK, broken, None),
        (Command.UNLINK, unlinked(), "NotLinked"),
        (Command.UNLINK, linked(busy={"price": "SENDING"}), "Unfinished"),
        (Command.UNLINK, linked(busy={"price": "DUE"}), None),
        (Command.REPUBLISH, broken, None),
        (Command.REPUBLISH, unlinked(link_hold=True), None),
        (Command.REPUBLISH, linked(), "NotBroken"),
        (Command.PAUSE, linked(), None),
        (Command.PAUSE, linked(paused=True), "AlreadyPaused"),
        (Command.UNPAUSE, linked(paused=True), None),
        (Command.UNPAUSE, linked(), "NotPaused"),
    ],
)
def test_commands_say_when_not(command: Command, variant: Variant, code: str | None) -> None:
    """A command is allowed, or refused with a code and a sentence that names the SKU."""
    reason = check_command(command, variant)
    assert (None if reason is None else reason.code) == code
    if reason is not None:
        assert variant.sku in reason.message


def test_commands_are_all_judged() -> None:
    """No command falls through, whatever the variant."""
    for command in Command:
        for link in LinkState:
            for presence in Presence:
                reason = check_command(command, replace(linked(), link=link, presence=presence))
                assert reason is None or reason.message
