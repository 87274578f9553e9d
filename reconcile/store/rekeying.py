"""Works out link keys anew when a channel's linking identifiers change; links themselves stay."""

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.store.channels import Channel
from reconcile.store.keys import our_key

_CHUNK = 5000


async def rekey(conn: AsyncConnection, channel: Channel, ours: str, theirs: str) -> None:
    """Give both sides the keys of these identifiers; ours in portions, theirs in one statement."""
    await conn.execute(
        text("""
UPDATE remote_variants SET link_key = identifiers ->> :theirs
WHERE channel_id = :id AND link_key IS DISTINCT FROM identifiers ->> :theirs
"""),
        {"id": channel.id, "theirs": theirs},
    )
    after = 0
    while True:
        result = await conn.execute(
            text("""
SELECT v.id, v.sku, v.fields, l.fields AS shared,
       (SELECT count(*) FROM listing_variants o WHERE o.listing_id = v.listing_id) = 1 AS is_only
FROM listing_variants v JOIN listings l ON l.id = v.listing_id
WHERE v.channel_id = :id AND v.id > :after ORDER BY v.id LIMIT :limit
"""),
            {"id": channel.id, "after": after, "limit": _CHUNK},
        )
        rows = result.all()
        if not rows:
            return
        after = rows[-1].id
        keys = [
            {
                "id": row.id,
                "key": our_key(
                    channel.platform, ours, row.sku, row.fields, row.shared if row.is_only else {}
                ),
            }
            for row in rows
        ]
        await conn.execute(
            text("""
UPDATE listing_variants v SET link_key = k.key, revision = v.revision + 1
FROM jsonb_to_recordset(CAST(:keys AS jsonb)) AS k(id bigint, key text)
WHERE v.id = k.id AND v.link_key IS DISTINCT FROM k.key
"""),
            {"keys": orjson.dumps(keys).decode()},
        )
