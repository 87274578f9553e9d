"""What a variant could be linked to: exact matches, claimed ones, and the nearest misses (T2).

The nearest are found without extensions of PostgreSQL: keys and SKUs equal once case, spaces,
accents, dashes and leading zeros are set aside, then the likest of a bounded set of keys that
differ from ours in a few characters at one place.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

import orjson
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.contract import Identifier
from reconcile.deps import Deps

NEAREST = 5
"""How many near misses are shown for a variant."""
_POOL = 200
"""How many similar keys are compared for a variant."""
_LIKENESS = 0.6

_LETTERS = "àáâãäåçèéêëìíîïñòóôõöøùúûüýÿšž"
_PLAIN = "aaaaaaceeeeiiiinoooooouuuuyysz"
_NORMAL = "ltrim(translate(lower({column}), '" + _LETTERS + " -_./', '" + _PLAIN + "'), '0')"


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """An object of the channel next to one of our variants."""

    remote_variant_id: int
    parent: str
    variant: str | None
    title: str
    sku: str | None
    key: str | None
    """Its value of the identifier that is compared."""
    claimed_by: int | None
    claimed_by_sku: str | None
    difference: str = ""
    """How its value differs from ours; empty for an exact match."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Everything the channel has to say to one variant's link."""

    our_identifier: str
    their_identifier: str
    key: str | None
    free: tuple[CandidateRow, ...]
    claimed: tuple[CandidateRow, ...]
    nearest: tuple[CandidateRow, ...]
    rivals: tuple[str, ...]
    """SKUs of our other variants that wait for the same key."""
    message: str


def normalized(value: str) -> str:
    """The text with case, accents, blanks, dashes and leading zeros set aside."""
    folded = value.lower().translate(str.maketrans(_LETTERS, _PLAIN))
    return "".join(mark for mark in folded if mark not in " -_./").lstrip("0")


def difference(ours: str, theirs: str) -> str:
    """In words, how two identifiers differ."""
    if ours == theirs:
        return ""
    plain_ours, plain_theirs = _without_accents(ours), _without_accents(theirs)
    steps = (
        ("in upper and lower case", ours.casefold() == theirs.casefold()),
        ("in blanks", _squeezed(ours) == _squeezed(theirs)),
        ("in accents", plain_ours == plain_theirs),
        ("in leading zeros", ours.lstrip("0") == theirs.lstrip("0")),
        ("in dashes, dots or strokes", _undashed(ours) == _undashed(theirs)),
    )
    for what, holds in steps:
        if holds:
            return f"differs {what}"
    if normalized(ours) == normalized(theirs):
        return "differs in case, blanks, accents, dashes or leading zeros"
    return "is similar"


def _without_accents(value: str) -> str:
    parts = unicodedata.normalize("NFD", value)
    return "".join(mark for mark in parts if not unicodedata.combining(mark))


def _squeezed(value: str) -> str:
    return "".join(value.split())


def _undashed(value: str) -> str:
    return "".join(mark for mark in value if mark not in "-_./")


_VARIANTS = """
SELECT v.id, v.channel_id, v.sku, v.link_key, v.link_state, c.platform, c.our_identifier,
       c.their_identifier
FROM listing_variants v JOIN channels c ON c.id = v.channel_id WHERE v.id = ANY(:ids)
"""
_EXACT = """
SELECT v.id AS variant_id, r.id, r.parent, r.variant, p.title, r.sku, r.link_key,
       c.id AS claimed_by, c.sku AS claimed_by_sku
FROM listing_variants v
JOIN remote_variants r ON r.channel_id = v.channel_id AND r.link_key = v.link_key
     AND r.gone IS NULL AND NOT r.absent
JOIN remote_listings p ON p.id = r.remote_listing_id
LEFT JOIN listing_variants c ON c.remote_variant_id = r.id AND c.link_state = 'LINKED'
WHERE v.id = ANY(:ids) AND c.id IS DISTINCT FROM v.id
ORDER BY v.id, r.id LIMIT 1000
"""
_RIVALS = """
SELECT v.id AS variant_id, o.sku
FROM listing_variants v
JOIN listing_variants o ON o.channel_id = v.channel_id AND o.link_key = v.link_key AND o.id <> v.id
     AND o.link_state IN ('UNLINKED', 'AMBIGUOUS') AND NOT o.link_hold AND o.presence <> 'DELISTED'
WHERE v.id = ANY(:ids) AND v.link_state <> 'LINKED' ORDER BY v.id, o.sku LIMIT 1000
"""
# Keys are normalized once for all variants that are asked about, then compared with each: equal, or
# the same but for two characters at the end, at the beginning or in the middle.
_NEAR = f"""
WITH wanted AS MATERIALIZED (
    SELECT w.id, w.channel_id, w.value, n.plain, length(n.plain) AS size,
           greatest(3, length(n.plain) - 2) AS most, greatest(2, length(n.plain) / 2) AS half
    FROM jsonb_to_recordset(CAST(:wanted AS jsonb)) AS w(id bigint, channel_id bigint, value text)
    CROSS JOIN LATERAL (SELECT {_NORMAL.format(column="w.value")} AS plain) n),
known AS MATERIALIZED (
    SELECT m.id, m.channel_id, m.link_key, {_NORMAL.format(column="coalesce(m.link_key, m.sku)")}
           AS plain
    FROM remote_variants m
    WHERE m.channel_id IN (SELECT channel_id FROM wanted) AND m.gone IS NULL AND NOT m.absent
      AND coalesce(m.link_key, m.sku) IS NOT NULL),
near AS (
    SELECT w.id AS variant_id, k.id,
           row_number() OVER (PARTITION BY w.id ORDER BY k.plain = w.plain DESC, k.id) AS place
    FROM wanted w JOIN known k ON k.channel_id = w.channel_id
     AND k.link_key IS DISTINCT FROM w.value AND w.plain <> ''
     AND (k.plain = w.plain
       OR (abs(length(k.plain) - w.size) <= 2
         AND (left(k.plain, w.most) = left(w.plain, w.most)
           OR right(k.plain, w.most) = right(w.plain, w.most)
           OR (left(k.plain, w.half) = left(w.plain, w.half)
             AND right(k.plain, 2) = right(w.plain, 2))))))
SELECT near.variant_id, r.id, r.parent, r.variant, p.title, r.sku, r.link_key,
       c.id AS claimed_by, c.sku AS claimed_by_sku
FROM near
JOIN remote_variants r ON r.id = near.id
JOIN remote_listings p ON p.id = r.remote_listing_id
LEFT JOIN listing_variants c ON c.remote_variant_id = r.id AND c.link_state = 'LINKED'
WHERE near.place <= :pool ORDER BY near.variant_id, near.place
"""  # noqa: S608 - only constants of this module are put in


def _candidate(row: RowMapping) -> CandidateRow:
    return CandidateRow(
        remote_variant_id=row["id"],
        parent=row["parent"],
        variant=row["variant"] or None,
        title=row["title"],
        sku=row["sku"],
        key=row["link_key"],
        claimed_by=row["claimed_by"],
        claimed_by_sku=row["claimed_by_sku"],
    )


def _title(identifiers: Iterable[Identifier], name: str) -> str:
    return next((item.title for item in identifiers if item.name == name), name)


async def candidates(
    conn: AsyncConnection, deps: Deps, variant_ids: Sequence[int]
) -> dict[int, Candidates]:
    """What each of many variants could be linked to; four statements, whatever their number."""
    ids = {"ids": list(variant_ids)}
    variants = (await conn.execute(text(_VARIANTS), ids)).mappings().all()
    exact: dict[int, list[CandidateRow]] = {row["id"]: [] for row in variants}
    for row in (await conn.execute(text(_EXACT), ids)).mappings():
        exact[row["variant_id"]].append(_candidate(row))
    rivals: dict[int, list[str]] = {row["id"]: [] for row in variants}
    for row in (await conn.execute(text(_RIVALS), ids)).mappings():
        rivals[row["variant_id"]].append(row["sku"])
    nearest = await _nearest(conn, [row for row in variants if not exact[row["id"]]])
    found = {}
    for row in variants:
        platform = deps.platforms[row["platform"]]
        ours = _title(platform.our_identifiers, row["our_identifier"])
        theirs = _title(platform.their_identifiers, row["their_identifier"])
        free = tuple(item for item in exact[row["id"]] if item.claimed_by is None)
        claimed = tuple(item for item in exact[row["id"]] if item.claimed_by is not None)
        found[row["id"]] = Candidates(
            our_identifier=ours,
            their_identifier=theirs,
            key=row["link_key"],
            free=free,
            claimed=claimed,
            nearest=nearest.get(row["id"], ()),
            rivals=tuple(rivals[row["id"]]),
            message=_message(row, ours, theirs, free, claimed, nearest.get(row["id"], ())),
        )
    return found


def _message(
    row: RowMapping,
    ours: str,
    theirs: str,
    free: Sequence[CandidateRow],
    claimed: Sequence[CandidateRow],
    nearest: Sequence[CandidateRow],
) -> str:
    if row["link_state"] == "LINKED":
        return f"{row['sku']} is linked."
    if row["link_key"] is None:
        return f"{row['sku']} has no {ours}, by which this channel links; state one."
    compared = f"Our {ours} {row['link_key']!r} was compared with their {theirs}"
    if len(free) == 1:
        return f"{compared}: one object matches and is linked by the next run."
    if free:
        return f"{compared}: {len(free)} objects match; link one of them by hand."
    if claimed:
        return f"{compared}: the one that matches is linked to {claimed[0].claimed_by_sku}."
    if nearest:
        near = nearest[0]
        return f"{compared}: none is equal; the nearest is {near.key or near.sku!r}, " + (
            f"which {near.difference}." if near.difference else "its SKU."
        )
    return f"{compared}: the channel has none like it."


async def _nearest(
    conn: AsyncConnection, variants: Sequence[RowMapping]
) -> dict[int, tuple[CandidateRow, ...]]:
    wanted = [
        {"id": row["id"], "channel_id": row["channel_id"], "value": row["link_key"] or row["sku"]}
        for row in variants
        if row["link_state"] != "LINKED"
    ]
    if not wanted:
        return {}
    values = {item["id"]: item["value"] for item in wanted}
    pools: dict[int, list[CandidateRow]] = {}
    parameters = {"wanted": orjson.dumps(wanted).decode(), "pool": _POOL}
    for row in (await conn.execute(text(_NEAR), parameters)).mappings():
        pools.setdefault(row["variant_id"], []).append(_candidate(row))
    return {variant_id: _likest(values[variant_id], pool) for variant_id, pool in pools.items()}


def _likest(value: str, pool: Sequence[CandidateRow]) -> tuple[CandidateRow, ...]:
    plain = normalized(value)
    rated = []
    for item in pool:
        theirs = item.key or item.sku or ""
        likeness = SequenceMatcher(None, plain, normalized(theirs)).ratio()
        if likeness >= _LIKENESS:
            rated.append((-likeness, item.remote_variant_id, item))
    rated.sort(key=lambda entry: entry[:2])
    return tuple(
        replace(item, difference=difference(value, item.key or item.sku or ""))
        for _, _, item in rated[:NEAREST]
    )
