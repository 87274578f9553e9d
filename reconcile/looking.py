"""Unknown outcomes: a look at the platform decides, nothing else does.

NOT_DONE counts only after the settle time, for a store may go on after its client has left. Where
nobody can tell, looks become rarer, and in the end a person has to.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from sqlalchemy import RowMapping

from reconcile import identity
from reconcile.contract import (
    AdapterError,
    Confirmation,
    ConfirmState,
    Result,
    UnauthorizedError,
)
from reconcile.core.actions import Outcome
from reconcile.results import Ended
from reconcile.side_work import SideWork, Writes
from reconcile.store import actions as action_rows
from reconcile.store.channel_state import pause_channel

log = structlog.get_logger()

MOST_LOOKS_FOR = timedelta(hours=24)
"""How long an unknown outcome is looked for before a person has to."""


class Looker(identity.Asking, Protocol):
    """The work on a channel's side as far as looking needs it."""

    blocked_until: datetime | None
    """Nothing more leaves in this slice."""

    @property
    def work(self) -> SideWork:
        """What is particular to this side of the channel."""
        ...

    @property
    def settle_time(self) -> timedelta:
        """How long a request may still be at work on the platform."""
        ...

    def back_off(self, tries: int, asked: timedelta | None = None) -> datetime:
        """When to try again after so many tries."""
        ...

    async def end(self, ended: Sequence[Ended], observed_at: datetime) -> None:
        """Store final results."""
        ...


async def look(work: Looker, rows: Sequence[RowMapping], writes: Writes) -> None:
    """Ask the platform, and go by what it says; nothing is assumed where it does not answer."""
    try:
        await identity.check(work)
        answers = await work.work.confirm(work.adapter, writes)
    except identity.AccountChangedError:
        work.blocked_until = work.deps.clock()
        return
    except UnauthorizedError as error:
        work.blocked_until = work.deps.clock()
        async with work.fenced() as conn:
            await pause_channel(conn, work.channel.id, error.code, error.message)
        return
    except AdapterError as error:
        answers = {
            row["key"]: Confirmation(ConfirmState.CANNOT_TELL, error.message) for row in rows
        }
    except Exception:
        # A defect of ours must not keep the channel from everything else.
        log.exception("confirm failed", channel_id=work.channel.id, kind=rows[0]["kind"])
        evidence = "an internal error; the log holds the details"
        answers = {row["key"]: Confirmation(ConfirmState.CANNOT_TELL, evidence) for row in rows}
    await conclude(work, rows, answers)


async def conclude(
    work: Looker, rows: Sequence[RowMapping], answers: Mapping[str, Confirmation]
) -> None:
    """End what is done, send again what is not, look again where nobody can tell."""
    now = work.deps.clock()
    ended: list[Ended] = []
    for row in rows:
        answer = answers.get(row["key"], Confirmation(ConfirmState.CANNOT_TELL, "no answer"))
        sent_at = row["sent_at"] or row["created_at"]
        settled_at = sent_at + work.settle_time
        match answer.state:
            case ConfirmState.DONE:
                result = answer.result or Result(row["key"], Outcome.APPLIED)
                ended.append(Ended(row, result))
            case ConfirmState.NOT_DONE if now >= settled_at:
                async with work.fenced() as conn:
                    for step in answer.steps:
                        await action_rows.add_step(conn, row["id"], step)
                    await action_rows.postpone(
                        conn,
                        [row["id"]],
                        "RETRYING",
                        now,
                        "NotDone",
                        f"It did not happen ({answer.evidence}); it is sent again",
                    )
            case ConfirmState.NOT_DONE:
                await _look_again(work, row, settled_at, answer.evidence)
            case ConfirmState.CANNOT_TELL if now - sent_at > MOST_LOOKS_FOR:
                message = f"Nobody can tell whether it happened: {answer.evidence}"
                result = Result(row["key"], Outcome.FAILED, "OutcomeUnknown", message)
                ended.append(Ended(row, result))
            case ConfirmState.CANNOT_TELL:
                await _look_again(work, row, _next_look(work, row, sent_at), answer.evidence)
    await work.end(ended, now)


def _next_look(work: Looker, row: RowMapping, sent_at: datetime) -> datetime:
    """Looks become rarer the longer nobody can tell."""
    now = work.deps.clock()
    return max(
        work.back_off(row["tries"]), now + min((now - sent_at) / 5, work.deps.tuning.retry_cap)
    )


async def _look_again(work: Looker, row: RowMapping, at: datetime, evidence: str) -> None:
    async with work.fenced() as conn:
        await action_rows.postpone(
            conn,
            [row["id"]],
            "UNKNOWN",
            at,
            "Unknown",
            f"Whether it happened is unknown ({evidence}); the store is asked again",
        )
