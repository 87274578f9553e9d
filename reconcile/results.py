"""Turning what an adapter reported into rows: mirror, links, kept values, failures, dirt.

Everything here runs inside the caller's transaction, behind the fence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.contract import Gone, Result
from reconcile.core.actions import ActionKind, Outcome
from reconcile.core.types import RemoteListing, RemoteRef
from reconcile.core.values import same
from reconcile.store import actions as action_rows
from reconcile.store import mirror, plans
from reconcile.store.channels import Channel

FINAL = frozenset({Outcome.APPLIED, Outcome.NO_OP, Outcome.STALE, Outcome.FAILED})

NOT_ACCEPTED = "NotAccepted"
"""Reason of a sync after which the platform shows something else than it was sent."""


@dataclass(frozen=True, slots=True)
class Ended:
    """One action row with the result that ends it."""

    row: RowMapping
    result: Result
    is_given_up: bool = False
    """Failed for no reason of its own: it is bound to no input, and the next run tries it again."""


async def apply_results(
    conn: AsyncConnection, channel: Channel, ended: Sequence[Ended], observed_at: datetime
) -> None:
    """Store final results: what was seen, what it means for the links, how the actions ended."""
    ended = [_taken_at_its_word(item) for item in ended]
    ended = [await _for_a_person(conn, channel, item) for item in ended]
    seen: list[RemoteListing] = [row for item in ended for row in item.result.observed]
    await mirror.observe(conn, channel.id, channel.their_identifier, seen, observed_at)
    gone: dict[RemoteRef, Gone] = {}
    for item in ended:
        if item.result.gone is not None and item.row["remote_parent"] is not None:
            ref = RemoteRef(item.row["remote_parent"], item.row["remote_variant"] or None)
            gone[ref] = item.result.gone
    await mirror.mark_gone(conn, channel.id, gone, observed_at)

    done = [item for item in ended if item.result.outcome in (Outcome.APPLIED, Outcome.NO_OP)]
    for item in done:
        await _apply(conn, channel, item, observed_at)
    await action_rows.forget_failures(conn, [item.row["id"] for item in done])
    failed = [item for item in ended if item.result.outcome is Outcome.FAILED]
    await action_rows.remember_failures(
        conn,
        [
            {"id": item.row["id"], "reason": item.result.code, "message": item.result.message}
            for item in failed
            if not item.is_given_up
        ],
    )
    for item in failed:
        await _stands_all_the_same(conn, channel, item)
        await _show_failure(conn, item)
    await finish_rows(conn, ended)
    again = [item for item in ended if item.result.outcome is Outcome.STALE or item.result.gone]
    for reason, items in (
        ("WorldMoved", again),
        ("GivenUp", [item for item in ended if item.is_given_up]),
    ):
        listing_ids = [item.row["listing_id"] for item in items if item.row["listing_id"]]
        await action_rows.mark_dirty(conn, channel.id, listing_ids, reason)
    await action_rows.wake_waiting(
        conn, channel.id, [item.row["listing_id"] for item in ended if item.row["listing_id"]]
    )


def _taken_at_its_word(item: Ended) -> Ended:
    """A sync that the platform agreed to, while its answer shows another value, has failed.

    Quantity and price are never taken as sent: it would be repeated for ever, or stay wrong unseen.
    """
    if item.row["kind"] != ActionKind.SYNC or item.result.outcome is not Outcome.APPLIED:
        return item
    ref = RemoteRef(item.row["remote_parent"], item.row["remote_variant"] or None)
    seen = next((v.seen for row in item.result.observed for v in row.variants if v.ref == ref), {})
    refused = [
        change["field"]
        for change in item.row["changes"]
        if change["field"] in seen and not same(seen[change["field"]], change["after"])
    ]
    if not refused:
        return item
    message = f"The store agreed and shows another value: {', '.join(refused)}"
    result = replace(item.result, outcome=Outcome.FAILED, code=NOT_ACCEPTED, message=message)
    return Ended(item.row, result)


async def _for_a_person(conn: AsyncConnection, channel: Channel, item: Ended) -> Ended:
    """A publish stopped by an object that will never be linked by itself: a person has to choose.

    That is one we know already whose key is not ours, or that another listing has; without this
    every run would publish it anew.
    """
    existing = item.result.existing
    if item.row["kind"] != ActionKind.PUBLISH or existing is None:
        return item
    known = (
        await conn.execute(
            text("""
SELECT c.sku AS claimed_by, r.link_key IS NOT NULL AND EXISTS (
    SELECT 1 FROM listing_variants v WHERE v.id = ANY(:ids) AND v.link_key = r.link_key) AS matches
FROM remote_variants r
LEFT JOIN listing_variants c ON c.remote_variant_id = r.id AND c.link_state = 'LINKED'
WHERE r.channel_id = :channel_id AND r.parent = :parent AND r.variant = :variant
  AND r.gone IS NULL AND NOT r.absent
"""),
            {
                "ids": list(item.row["variant_ids"]),
                "channel_id": channel.id,
                "parent": existing.listing,
                "variant": existing.variant or "",
            },
        )
    ).one_or_none()
    if known is None or (known.matches and known.claimed_by is None):
        return item
    why = (
        f"it is linked to {known.claimed_by} of ours"
        if known.claimed_by is not None
        else "its linking identifier is not that of this listing"
    )
    found = item.result.message.removesuffix("; it is linked instead").removesuffix(".")
    message = f"{found}, and {why}. Link it by hand, or correct the SKU"
    result = replace(item.result, outcome=Outcome.FAILED, message=message)
    return Ended(item.row, result)


async def finish_rows(conn: AsyncConnection, ended: Sequence[Ended]) -> None:
    """End the actions with their outcomes."""
    rows = [
        {
            "id": item.row["id"],
            "state": item.result.outcome,
            "code": item.result.code or None,
            "message": item.result.message or None,
        }
        for item in ended
    ]
    await conn.execute(
        text("""
UPDATE actions a SET state = r.state, finished_at = clock_timestamp(), outcome_code = r.code,
    outcome_message = r.message
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id bigint, state text, code text, message text)
WHERE a.id = r.id
"""),
        {"rows": orjson.dumps(rows).decode()},
    )


async def _show_failure(conn: AsyncConnection, item: Ended) -> None:
    """Say at once on the object why it failed; the next plan says it again as FailedBefore."""
    kind = "variant" if item.row["variant_id"] else "listing"
    await conn.execute(
        text("""
INSERT INTO conditions AS c (channel_id, object_kind, object_id, type, status, reason, message)
SELECT a.channel_id, :kind, :object_id, r.operation, 'ATTENTION', :reason, :message
FROM actions a JOIN runs r ON r.id = a.run_id WHERE a.id = :action_id
ON CONFLICT (object_kind, object_id, type) DO UPDATE SET status = excluded.status,
    reason = excluded.reason, message = excluded.message, inputs = excluded.inputs,
    since = CASE WHEN c.reason = excluded.reason THEN c.since ELSE now() END
"""),
        {
            "kind": kind,
            "object_id": item.row["variant_id"] or item.row["listing_id"],
            "reason": item.result.code or "Failed",
            "message": item.result.message,
            "action_id": item.row["id"],
        },
    )
    await conn.execute(
        text("UPDATE listing_variants SET flagged = true WHERE listing_id = :listing_id"),
        {"listing_id": item.row["listing_id"]},
    )


async def _apply(
    conn: AsyncConnection, channel: Channel, item: Ended, observed_at: datetime
) -> None:
    kind = ActionKind(item.row["kind"])
    match kind:
        case ActionKind.HIDE:
            await _keep(conn, item)
        case ActionKind.UNHIDE:
            await _set_kept(conn, item.row["variant_id"], None)
        case ActionKind.DELIST:
            await _delisted(conn, channel, item, observed_at)
        case ActionKind.PUBLISH:
            await _published(conn, channel, item)
        case ActionKind.OVERWRITE:
            await accept_content(conn, item.row["listing_id"], item.result.media)
        case _:
            pass


async def _keep(conn: AsyncConnection, item: Ended) -> None:
    """Remember what hiding overwrote; hidden twice, the first memory counts.

    No new revision: our wish is the same, and what else was planned of the variant still holds.
    """
    await conn.execute(
        text("""
UPDATE listing_variants SET kept = coalesce(kept, CAST(:kept AS jsonb)) WHERE id = :id
"""),
        {
            "id": item.row["variant_id"],
            "kept": orjson.dumps(dict(item.result.kept or {})).decode(),
        },
    )


async def _set_kept(conn: AsyncConnection, variant_id: int, kept: Mapping[str, Any] | None) -> None:
    await conn.execute(
        text("""
UPDATE listing_variants SET kept = CAST(:kept AS jsonb) WHERE id = :id
"""),
        {"id": variant_id, "kept": None if kept is None else orjson.dumps(dict(kept)).decode()},
    )


async def _delisted(
    conn: AsyncConnection, channel: Channel, item: Ended, observed_at: datetime
) -> None:
    row = item.row
    variant_ids = [row["variant_id"]] if row["variant_id"] else list(row["variant_ids"])
    refs = await conn.execute(
        text("""
SELECT r.parent, r.variant FROM listing_variants v JOIN remote_variants r
  ON r.id = v.remote_variant_id WHERE v.id = ANY(:ids)
"""),
        {"ids": variant_ids},
    )
    proof = Gone("Deleted", "Delisted by us")
    found = [RemoteRef(ref.parent, ref.variant or None) for ref in refs]
    ends = row["variant_id"] is None
    gone = {RemoteRef(ref.listing) if ends else ref: proof for ref in found}
    await mirror.mark_gone(conn, channel.id, gone, observed_at)
    await conn.execute(
        text("""
UPDATE listing_variants SET link_state = 'UNLINKED', was = 'DELISTED', kept = NULL,
    remote_variant_id = NULL, link_origin = NULL, link_reason = NULL, link_message = NULL,
    linked_at = NULL, revision = revision + 1
WHERE id = ANY(:ids)
"""),
        {"ids": variant_ids},
    )


async def link_variant(
    conn: AsyncConnection, channel_id: int, variant_id: int, ref: RemoteRef, origin: str
) -> bool:
    """Link a variant to an object of the mirror that nobody claims; False where that fails."""
    result = await conn.execute(
        text("""
UPDATE listing_variants v SET link_state = 'LINKED', remote_variant_id = r.id,
    link_origin = :origin, link_reason = NULL, link_message = NULL, link_hold = false,
    linked_at = now(), kept = NULL, accepted = '{}', revision = v.revision + 1,
    stale = v.stale OR CAST(:origin AS text) <> 'PUBLISH'
FROM remote_variants r
WHERE v.id = :variant_id AND r.channel_id = :channel_id AND r.parent = :parent
  AND r.variant = :variant AND r.gone IS NULL AND NOT EXISTS (
    SELECT 1 FROM listing_variants c
    WHERE c.remote_variant_id = r.id AND c.link_state = 'LINKED' AND c.id <> v.id)
"""),
        {
            "variant_id": variant_id,
            "channel_id": channel_id,
            "parent": ref.listing,
            "variant": ref.variant or "",
            "origin": origin,
        },
    )
    return result.rowcount == 1


async def _published(conn: AsyncConnection, channel: Channel, item: Ended) -> None:
    for variant_id, ref in item.result.refs.items():
        await link_variant(conn, channel.id, int(variant_id), ref, "PUBLISH")
    listing_id = item.row["listing_id"]
    # What the operations said of them while they were not on the channel is out of date.
    await conn.execute(
        text("""
DELETE FROM conditions WHERE object_kind = 'variant' AND object_id = ANY(:ids)
   OR object_kind = 'listing' AND object_id = :listing_id
"""),
        {"ids": [int(each) for each in item.result.refs], "listing_id": listing_id},
    )
    await plans.reflag(conn, [listing_id])
    await conn.execute(
        text("UPDATE listings SET accepted = '{}' WHERE id = :id"), {"id": listing_id}
    )
    await accept_content(conn, listing_id, item.result.media)
    await action_rows.mark_dirty(conn, channel.id, [listing_id], "Published")


async def _stands_all_the_same(conn: AsyncConnection, channel: Channel, item: Ended) -> None:
    """A product that was created without all it was to have is ours: linked, it is mended by sync.

    Its content is not accepted as sent; what was left out still differs.
    """
    if item.row["kind"] != ActionKind.PUBLISH or not item.result.refs:
        return
    for variant_id, ref in item.result.refs.items():
        await link_variant(conn, channel.id, int(variant_id), ref, "PUBLISH")
    await action_rows.mark_dirty(conn, channel.id, [item.row["listing_id"]], "Published")


async def accept_content(conn: AsyncConnection, listing_id: int, media: Mapping[str, str]) -> None:
    """After content was sent: keep sent → seen where the platform rewrote it.

    The comparison uses the seen form from now on, as long as ours is unchanged; what cannot be read
    back at all is taken as sent. Quantity, price and presence never come here.
    """
    listing = (
        (
            await conn.execute(
                text("""
SELECT l.content, l.accepted, (
    SELECT p.content FROM listing_variants v
    JOIN remote_variants r ON r.id = v.remote_variant_id
    JOIN remote_listings p ON p.id = r.remote_listing_id
    WHERE v.listing_id = l.id AND v.link_state = 'LINKED' ORDER BY v.id LIMIT 1) AS seen
FROM listings l WHERE l.id = :id
"""),
                {"id": listing_id},
            )
        )
        .mappings()
        .one_or_none()
    )
    if listing is None or listing["seen"] is None:
        return
    content, accepted = _accept(listing["content"], listing["accepted"], listing["seen"])
    await conn.execute(
        text("""
UPDATE listings SET media = media || CAST(:media AS jsonb), accepted = CAST(:accepted AS jsonb),
    content = CAST(:content AS jsonb)
WHERE id = :id
"""),
        {
            "id": listing_id,
            "media": orjson.dumps(dict(media)).decode(),
            "accepted": orjson.dumps(accepted).decode(),
            "content": orjson.dumps(content).decode(),
        },
    )
    variants = await conn.execute(
        text("""
SELECT v.id, v.content, v.accepted, r.content AS seen
FROM listing_variants v JOIN remote_variants r ON r.id = v.remote_variant_id
WHERE v.listing_id = :id AND v.link_state = 'LINKED'
"""),
        {"id": listing_id},
    )
    rows = []
    for row in variants.mappings():
        content, accepted = _accept(row["content"], row["accepted"], row["seen"])
        rows.append({"id": row["id"], "content": content, "accepted": accepted})
    await conn.execute(
        text("""
UPDATE listing_variants v SET accepted = r.accepted, content = r.content
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id bigint, accepted jsonb, content jsonb)
WHERE v.id = r.id
"""),
        {"rows": orjson.dumps(rows).decode()},
    )


def _accept(
    content: Mapping[str, Any], accepted: Mapping[str, Any], seen: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The wanted content in the form the platform shows, and what was sent for it."""
    forms: dict[str, Any] = {}
    pairs: dict[str, Any] = dict(accepted)
    for name, value in content.items():
        before = accepted.get(name)
        sent = before["sent"] if before and before["seen"] == value else value
        if seen.get(name) == sent:
            pairs.pop(name, None)
            forms[name] = sent
        else:
            pairs[name] = {"sent": sent, "seen": seen.get(name)}
            if name in seen:
                forms[name] = seen[name]
    return forms, pairs
