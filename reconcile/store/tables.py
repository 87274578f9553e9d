"""Every table of the product. PostgreSQL only; the database is the truth.

Identifiers are `bigint`; times are `timestamptz`; canonical values are `jsonb` so that "in sync" is
one containment test in SQL (`seen @> wanted`). Columns that rules depend on carry a comment.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from reconcile.store import order_tables
from reconcile.store.table_parts import (
    EMPTY_LIST,
    EMPTY_OBJECT,
    Time,
    channel_column,
    created,
    flag,
    id_column,
    metadata,
    revision,
)

__all__ = ["metadata", "order_tables"]

channels = Table(
    "channels",
    metadata,
    id_column(),
    Column("name", Text, nullable=False),
    Column("platform", Text, nullable=False),
    Column("credentials", LargeBinary, nullable=False, comment="encrypted; readable nowhere"),
    Column("settings", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("account_id", Text, nullable=False, comment="stable id from check()"),
    Column("currency", Text, nullable=False),
    Column("account", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("account_checked_at", Time),
    Column("policy", Text, nullable=False, server_default="FULL"),
    flag("paused"),
    Column("pause_reason", Text, comment="CamelCase code; null where a person paused it"),
    Column("pause_message", Text),
    Column("our_identifier", Text, nullable=False),
    Column("their_identifier", Text, nullable=False),
    Column("buffer", Integer, nullable=False, server_default=text("0")),
    Column("cap", Integer),
    Column("guard", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("retention_days", Integer, comment="personal data of orders; null: kept indefinitely"),
    Column("mirror_complete_at", Time, comment="last complete snapshot; null: never"),
    revision(),
    created(),
    Column("removed_at", Time),
)
Index(
    "uq_channels_name",
    channels.c.name,
    unique=True,
    postgresql_where=channels.c.removed_at.is_(None),
)

operations = Table(
    "operations",
    metadata,
    Column(
        "channel_id", BigInteger, ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True
    ),
    Column("operation", Text, primary_key=True),
    flag("enabled", default=True),
    flag("paused"),
    Column("settings", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("template", JSONB, comment="null: the platform's default"),
    Column("interval_seconds", Integer),
    Column("cron", Text, comment="five fields, UTC"),
    flag("schedule_full"),
    Column("next_due_at", Time),
    Column("last_finished_at", Time),
    Column("cursor", JSONB(none_as_null=True), comment="GET_ORDERS: up to when orders were seen"),
)

items = Table(
    "items",
    metadata,
    id_column(),
    Column("sku", Text, nullable=False, unique=True),
    Column("stated", Integer, comment="null: no statement, which is not zero"),
    Column("as_of", Time),
    Column("basis", Text, nullable=False, server_default="ON_HAND"),
    Column("source", Text),
    Column("stated_by", Text),
    revision(),
    created("updated_at"),
    CheckConstraint("stated >= 0", name="stated_not_negative"),
)

listings = Table(
    "listings",
    metadata,
    id_column(),
    channel_column(),
    Column("sku", Text, nullable=False, comment="parent SKU; of a simple listing its variant's"),
    Column("title", Text, nullable=False, server_default=""),
    Column("fields", JSONB, nullable=False, server_default=EMPTY_OBJECT, comment="OurField values"),
    Column("sources", JSONB, nullable=False, server_default=EMPTY_OBJECT, comment="who, when, how"),
    Column("option_names", JSONB, nullable=False, server_default=EMPTY_LIST),
    Column(
        "content", JSONB, nullable=False, server_default=EMPTY_OBJECT, comment="wanted, as seen"
    ),
    Column("withheld", JSONB, nullable=False, server_default=EMPTY_LIST),
    Column("accepted", JSONB, nullable=False, server_default=EMPTY_OBJECT, comment="sent → seen"),
    Column(
        "media", JSONB, nullable=False, server_default=EMPTY_OBJECT, comment="source → media id"
    ),
    revision(),
    created(),
    created("updated_at"),
    UniqueConstraint("channel_id", "sku"),
)

remote_listings = Table(
    "remote_listings",
    metadata,
    id_column(),
    channel_column(),
    Column("remote_id", Text, nullable=False),
    Column("title", Text, nullable=False, server_default=""),
    Column("presence", Text, nullable=False),
    Column("content", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("import_fields", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("aspects", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("modified_at", Time),
    Column("observed_at", Time, nullable=False, comment="when the request was sent"),
    Column("snapshot", BigInteger, comment="full run that saw it last"),
    flag("absent"),
    Column("gone", Text, comment="tombstone: the reason a read by id gave"),
    Column("gone_at", Time),
    UniqueConstraint("channel_id", "remote_id"),
    Index("ix_remote_listings_snapshot", "channel_id", "snapshot"),
)

remote_variants = Table(
    "remote_variants",
    metadata,
    id_column(),
    channel_column(),
    Column(
        "remote_listing_id",
        BigInteger,
        ForeignKey("remote_listings.id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("parent", Text, nullable=False, comment="their product id"),
    Column("variant", Text, nullable=False, server_default="", comment="'' where it has none"),
    Column("sku", Text),
    Column("presence", Text, nullable=False),
    Column("seen", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("content", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("identifiers", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("link_key", Text, comment="identifiers[channels.their_identifier]"),
    Column("options", JSONB, nullable=False, server_default=EMPTY_LIST),
    Column("import_fields", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("aspects", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    flag("unsellable"),
    flag("absent"),
    Column("gone", Text),
    Column("observed_at", Time, nullable=False),
    revision(),
    UniqueConstraint("channel_id", "parent", "variant"),
    Index("ix_remote_variants_remote_listing_id", "remote_listing_id"),
    Index("ix_remote_variants_link_key", "channel_id", "link_key"),
    Index("ix_remote_variants_sku", "channel_id", "sku"),
)

listing_variants = Table(
    "listing_variants",
    metadata,
    id_column(),
    channel_column(),
    Column("listing_id", BigInteger, ForeignKey("listings.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False, server_default=text("0")),
    Column("sku", Text, nullable=False),
    Column("fields", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("sources", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("options", JSONB, nullable=False, server_default=EMPTY_LIST),
    Column("presence", Text, nullable=False, server_default="LISTED"),
    flag("asserted"),
    flag("paused"),
    Column("link_state", Text, nullable=False, server_default="UNLINKED"),
    flag("link_hold"),
    Column("link_key", Text),
    Column("link_origin", Text, comment="KEY, PERSON, PUBLISH or IMPORT"),
    Column("link_reason", Text),
    Column("link_message", Text),
    Column("linked_at", Time),
    Column("remote_variant_id", BigInteger, ForeignKey("remote_variants.id", ondelete="SET NULL")),
    Column("kept", JSONB(none_as_null=True), comment="what hiding overwrote; not null: we hid it"),
    Column("was", Text, nullable=False, server_default="NOT_LISTED"),
    Column("wanted", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("content", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("withheld", JSONB, nullable=False, server_default=EMPTY_LIST),
    Column("accepted", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("zero_cause", Text, nullable=False, server_default="STATEMENT"),
    flag("stale", default=True),
    flag("flagged"),
    revision(),
    created(),
    created("updated_at"),
    UniqueConstraint("channel_id", "sku"),
    Index("ix_listing_variants_listing_id", "listing_id", "position"),
    Index("ix_listing_variants_link_key", "channel_id", "link_key"),
    Index("ix_listing_variants_sku", "sku"),
)
Index(
    "uq_listing_variants_claim",
    listing_variants.c.remote_variant_id,
    unique=True,
    postgresql_where=listing_variants.c.link_state == "LINKED",
)
Index(
    "ix_listing_variants_remote_variant_id",
    listing_variants.c.remote_variant_id,
    postgresql_where=listing_variants.c.remote_variant_id.is_not(None),
)
Index(
    "ix_listing_variants_stale",
    listing_variants.c.channel_id,
    postgresql_where=listing_variants.c.stale,
)

conditions = Table(
    "conditions",
    metadata,
    id_column(),
    channel_column(),
    Column("object_kind", Text, nullable=False, comment="channel, listing, variant or order"),
    Column("object_id", BigInteger, nullable=False),
    Column("type", Text, nullable=False, comment="operation, or what it is about"),
    Column("status", Text, nullable=False, comment="Standing of the decision"),
    Column("reason", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("inputs", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("since", Time, nullable=False, server_default=func.now()),
    Column("observed_revision", BigInteger),
    UniqueConstraint("object_kind", "object_id", "type"),
    Index("ix_conditions_channel_id_reason", "channel_id", "reason"),
)
Index(
    "ix_conditions_attention",
    conditions.c.channel_id,
    conditions.c.id,
    postgresql_where=conditions.c.status == "ATTENTION",
)

failures = Table(
    "failures",
    metadata,
    channel_column(),
    Column("object_id", Text, primary_key=True, comment="as in actions: variant:<id>, order:<id>"),
    Column("action", Text, primary_key=True),
    Column("write_group", Text, primary_key=True),
    Column("input_hash", Text, nullable=False, comment="no retry while the input hashes to this"),
    Column("reason", Text, nullable=False),
    Column("message", Text, nullable=False),
    created("at"),
)

runs = Table(
    "runs",
    metadata,
    id_column(),
    channel_column(),
    Column("operation", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("trigger", Text, nullable=False, comment="PERSON, SCHEDULE or CHANGE"),
    flag("is_full"),
    flag("plan_only"),
    Column("scope", ARRAY(BigInteger), comment="listing ids; null: what is dirty, or all"),
    Column("order_ids", ARRAY(BigInteger), comment="remote_orders.id; empty: what is marked"),
    Column("lookup", Text, comment="GET_ORDERS: only look for the order of this number"),
    Column("state", Text, nullable=False, server_default="QUEUED"),
    Column("result", Text),
    Column("phase", JSONB, nullable=False, server_default=EMPTY_OBJECT, comment="where it is"),
    Column("counts", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("guard", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("channel_revision", BigInteger, comment="of the settings the plan was made from"),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("next_at", Time, nullable=False, server_default=func.now()),
    Column("requested_by", Text),
    Column("approved_by", Text),
    flag("cancel_requested"),
    created(),
    Column("started_at", Time),
    Column("planned_at", Time),
    Column("finished_at", Time),
    Index("ix_runs_channel_id", "channel_id", "id"),
)
Index(
    "ix_runs_lookup",
    runs.c.channel_id,
    runs.c.lookup,
    postgresql_where=runs.c.lookup.is_not(None),
)
Index(
    "ix_runs_open",
    runs.c.channel_id,
    runs.c.side,
    runs.c.id,
    postgresql_where=runs.c.finished_at.is_(None),
)

run_candidates = Table(
    "run_candidates",
    metadata,
    Column("run_id", BigInteger, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("listing_id", BigInteger, primary_key=True),
    Column("round", Integer, nullable=False, server_default=text("1"), comment="planned last in"),
)

ACTIVE_ACTION_STATES = ("DUE", "SENDING", "RETRYING", "UNKNOWN")

actions = Table(
    "actions",
    metadata,
    id_column(),
    channel_column(),
    Column("run_id", BigInteger, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("write_group", Text, nullable=False),
    Column("listing_id", BigInteger),
    Column("variant_id", BigInteger),
    Column("variant_ids", ARRAY(BigInteger), nullable=False, server_default=text("'{}'")),
    Column("order_id", BigInteger, comment="remote_orders.id, for actions on orders"),
    Column("shipment_id", BigInteger, comment="FULFILL: the shipment that is sent"),
    Column("remote_parent", Text),
    Column("remote_variant", Text),
    Column("key", Text, nullable=False),
    Column("input_hash", Text, nullable=False),
    Column("changes", JSONB, nullable=False, server_default=EMPTY_LIST),
    Column("guards", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column(
        "lane", Integer, nullable=False, comment="0 fulfillment, 1 quantity, 2 price, 3 content"
    ),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("revisions", JSONB, nullable=False, server_default=EMPTY_OBJECT, comment="planned from"),
    Column("steps", JSONB, nullable=False, server_default=EMPTY_LIST),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("max_batch", Integer, comment="bisecting: largest batch it may travel in"),
    flag("approved"),
    Column("sent_at", Time, comment="when the last request that names it left"),
    Column("due_at", Time, nullable=False, server_default=func.now()),
    Column("epoch", BigInteger, comment="fencing token of the lease that sent it"),
    Column("outcome_code", Text),
    Column("outcome_message", Text),
    created(),
    Column("finished_at", Time),
    Index("ix_actions_run_id", "run_id", "id"),
    Index("ix_actions_object_id", "object_id", "id"),
    Index("ix_actions_listing_id", "listing_id", "id"),
)
Index(
    "ix_actions_order_id",
    actions.c.order_id,
    actions.c.id,
    postgresql_where=actions.c.order_id.is_not(None),
)
Index(
    "uq_actions_unfinished",
    actions.c.channel_id,
    actions.c.object_id,
    actions.c.write_group,
    unique=True,
    postgresql_where=actions.c.state.in_(ACTIVE_ACTION_STATES),
)
Index(
    "ix_actions_due",
    actions.c.channel_id,
    actions.c.lane,
    actions.c.due_at,
    postgresql_where=actions.c.state.in_(ACTIVE_ACTION_STATES),
)
Index(
    "ix_actions_guarded",
    actions.c.channel_id,
    actions.c.finished_at,
    postgresql_where=text("guards <> '{}' AND state = 'APPLIED'"),
)

attempts = Table(
    "attempts",
    metadata,
    id_column(),
    channel_column(),
    Column("run_id", BigInteger),
    Column("action_ids", ARRAY(BigInteger), nullable=False, server_default=text("'{}'")),
    Column("at", Time, nullable=False),
    Column("method", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("request", JSONB, comment="redacted"),
    Column("status", Integer),
    Column("response", JSONB, comment="redacted"),
    Column("milliseconds", Integer, nullable=False),
    Column("error", Text, nullable=False, server_default=""),
    Index("ix_attempts_channel_id", "channel_id", "id"),
    Index("ix_attempts_run_id", "run_id", "id"),
    Index("ix_attempts_action_ids", "action_ids", postgresql_using="gin"),
    Index("ix_attempts_at", "at"),
)

dirty = Table(
    "dirty",
    metadata,
    id_column(),
    channel_column(),
    Column("operation", Text, nullable=False),
    Column("listing_id", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    created("at"),
    Index("ix_dirty_channel_id", "channel_id", "operation", "id"),
)

leases = Table(
    "leases",
    metadata,
    Column(
        "channel_id", BigInteger, ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True
    ),
    Column("side", Text, primary_key=True),
    Column("epoch", BigInteger, nullable=False, server_default=text("0"), comment="fencing token"),
    Column("holder", Text),
    Column("expires_at", Time, comment="database clock"),
)

workers = Table(
    "workers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("started_at", Time, nullable=False),
    Column("seen_at", Time, nullable=False, comment="no worker seen lately: nothing will run"),
)

tokens = Table(
    "tokens",
    metadata,
    id_column(),
    Column("name", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("hint", Text, nullable=False, comment="first characters, to tell tokens apart"),
    Column("scopes", ARRAY(Text), nullable=False),
    created(),
    Column("last_used_at", Time),
    Column("revoked_at", Time),
)

imports = Table(
    "imports",
    metadata,
    id_column(),
    channel_column(),
    Column("name", Text, nullable=False, comment="file name"),
    Column("layout", Text),
    Column("replace_with", Text, comment="presence for listings missing from the file"),
    flag("pause_new"),
    Column("state", Text, nullable=False, server_default="RECEIVING"),
    Column("received_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("rows_done", BigInteger, nullable=False, server_default=text("0")),
    Column("counts", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("requested_by", Text),
    Column("run_id", BigInteger, comment="the guarded run that --replace led to"),
    created(),
    Column("finished_at", Time),
    Index("ix_imports_channel_id", "channel_id", "id"),
)

import_chunks = Table(
    "import_chunks",
    metadata,
    Column("import_id", BigInteger, ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("bytes", LargeBinary, nullable=False),
)

import_problems = Table(
    "import_problems",
    metadata,
    id_column(),
    Column("import_id", BigInteger, ForeignKey("imports.id", ondelete="CASCADE"), nullable=False),
    Column("line", Integer, nullable=False),
    Column("sku", Text),
    Column("severity", Text, nullable=False, server_default="ERROR"),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Index("ix_import_problems_import_id", "import_id", "id"),
)

import_seen = Table(
    "import_seen",
    metadata,
    Column("import_id", BigInteger, ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True),
    Column("variant_id", BigInteger, primary_key=True),
)
