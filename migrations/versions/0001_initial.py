"""The first version of every table.

Revision: 0001, the first one.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "channels",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column(
            "credentials", sa.LargeBinary(), nullable=False, comment="encrypted; readable nowhere"
        ),
        sa.Column(
            "settings",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("account_id", sa.Text(), nullable=False, comment="stable id from check()"),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column(
            "account",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("account_checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("policy", sa.Text(), server_default="FULL", nullable=False),
        sa.Column("paused", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "pause_reason",
            sa.Text(),
            nullable=True,
            comment="CamelCase code; null where a person paused it",
        ),
        sa.Column("pause_message", sa.Text(), nullable=True),
        sa.Column("our_identifier", sa.Text(), nullable=False),
        sa.Column("their_identifier", sa.Text(), nullable=False),
        sa.Column("buffer", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("cap", sa.Integer(), nullable=True),
        sa.Column(
            "guard",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "mirror_complete_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="last complete snapshot; null: never",
        ),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channels")),
    )
    op.create_index(
        "uq_channels_name",
        "channels",
        ["name"],
        unique=True,
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_table(
        "items",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column(
            "stated", sa.Integer(), nullable=True, comment="null: no statement, which is not zero"
        ),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=True),
        sa.Column("basis", sa.Text(), server_default="ON_HAND", nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("stated_by", sa.Text(), nullable=True),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("stated >= 0", name=op.f("ck_items_stated_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_items")),
        sa.UniqueConstraint("sku", name=op.f("uq_items_sku")),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column(
            "hint", sa.Text(), nullable=False, comment="first characters, to tell tokens apart"
        ),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("hash", name=op.f("uq_tokens_hash")),
    )
    op.create_table(
        "workers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "seen_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="no worker seen lately: nothing will run",
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workers")),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "action_ids", sa.ARRAY(sa.BigInteger()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column(
            "request", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment="redacted"
        ),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column(
            "response", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment="redacted"
        ),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_attempts_channel_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
    )
    op.create_index(
        "ix_attempts_action_ids", "attempts", ["action_ids"], unique=False, postgresql_using="gin"
    )
    op.create_index("ix_attempts_at", "attempts", ["at"], unique=False)
    op.create_index("ix_attempts_channel_id", "attempts", ["channel_id", "id"], unique=False)
    op.create_index("ix_attempts_run_id", "attempts", ["run_id", "id"], unique=False)
    op.create_table(
        "conditions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("object_kind", sa.Text(), nullable=False, comment="channel, listing or variant"),
        sa.Column("object_id", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False, comment="operation, or what it is about"),
        sa.Column("status", sa.Text(), nullable=False, comment="Standing of the decision"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column(
            "inputs",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("observed_revision", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channels.id"],
            name=op.f("fk_conditions_channel_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conditions")),
        sa.UniqueConstraint(
            "object_kind",
            "object_id",
            "type",
            name=op.f("uq_conditions_object_kind_object_id_type"),
        ),
    )
    op.create_index(
        "ix_conditions_channel_id_reason", "conditions", ["channel_id", "reason"], unique=False
    )
    op.create_index(
        "ix_conditions_attention",
        "conditions",
        ["channel_id", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'ATTENTION'"),
    )
    op.create_table(
        "dirty",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("listing_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_dirty_channel_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dirty")),
    )
    op.create_index("ix_dirty_channel_id", "dirty", ["channel_id", "operation", "id"], unique=False)
    op.create_table(
        "failures",
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False, comment="variant:<id> or listing:<id>"),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("write_group", sa.Text(), nullable=False),
        sa.Column(
            "input_hash",
            sa.Text(),
            nullable=False,
            comment="no retry while the input hashes to this",
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_failures_channel_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("object_id", "action", "write_group", name=op.f("pk_failures")),
    )
    op.create_table(
        "imports",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="file name"),
        sa.Column("layout", sa.Text(), nullable=True),
        sa.Column(
            "replace_with",
            sa.Text(),
            nullable=True,
            comment="presence for listings missing from the file",
        ),
        sa.Column("pause_new", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("state", sa.Text(), server_default="RECEIVING", nullable=False),
        sa.Column("received_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("rows_done", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "counts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.Text(), nullable=True),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            nullable=True,
            comment="the guarded run that --replace led to",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_imports_channel_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    op.create_index("ix_imports_channel_id", "imports", ["channel_id", "id"], unique=False)
    op.create_table(
        "leases",
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column(
            "epoch",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="fencing token",
        ),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column(
            "expires_at", sa.DateTime(timezone=True), nullable=True, comment="database clock"
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_leases_channel_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("channel_id", "side", name=op.f("pk_leases")),
    )
    op.create_table(
        "listings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "sku",
            sa.Text(),
            nullable=False,
            comment="parent SKU; of a simple listing its variant's",
        ),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "fields",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="OurField values",
        ),
        sa.Column(
            "sources",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="who, when, how",
        ),
        sa.Column(
            "option_names",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "content",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="wanted, as seen",
        ),
        sa.Column(
            "withheld",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "accepted",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="sent → seen",
        ),
        sa.Column(
            "media",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="source → media id",
        ),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_listings_channel_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listings")),
        sa.UniqueConstraint("channel_id", "sku", name=op.f("uq_listings_channel_id_sku")),
    )
    op.create_table(
        "operations",
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("paused", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "settings",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "template",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="null: the platform's default",
        ),
        sa.Column("interval_seconds", sa.Integer(), nullable=True),
        sa.Column("cron", sa.Text(), nullable=True, comment="five fields, UTC"),
        sa.Column("schedule_full", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("next_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channels.id"],
            name=op.f("fk_operations_channel_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("channel_id", "operation", name=op.f("pk_operations")),
    )
    op.create_table(
        "remote_listings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("remote_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("presence", sa.Text(), nullable=False),
        sa.Column(
            "content",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "import_fields",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "aspects",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "observed_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when the request was sent",
        ),
        sa.Column("snapshot", sa.BigInteger(), nullable=True, comment="full run that saw it last"),
        sa.Column("absent", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "gone", sa.Text(), nullable=True, comment="tombstone: the reason a read by id gave"
        ),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channels.id"],
            name=op.f("fk_remote_listings_channel_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_remote_listings")),
        sa.UniqueConstraint(
            "channel_id", "remote_id", name=op.f("uq_remote_listings_channel_id_remote_id")
        ),
    )
    op.create_index(
        "ix_remote_listings_snapshot", "remote_listings", ["channel_id", "snapshot"], unique=False
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False, comment="PERSON, SCHEDULE or CHANGE"),
        sa.Column("is_full", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("plan_only", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "scope",
            sa.ARRAY(sa.BigInteger()),
            nullable=True,
            comment="listing ids; null: what is dirty, or all",
        ),
        sa.Column("state", sa.Text(), server_default="QUEUED", nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column(
            "phase",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="where it is",
        ),
        sa.Column(
            "counts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "guard",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "channel_revision",
            sa.BigInteger(),
            nullable=True,
            comment="of the settings the plan was made from",
        ),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "next_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("requested_by", sa.Text(), nullable=True),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column(
            "cancel_requested", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_runs_channel_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index("ix_runs_channel_id", "runs", ["channel_id", "id"], unique=False)
    op.create_index(
        "ix_runs_open",
        "runs",
        ["channel_id", "side", "id"],
        unique=False,
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_table(
        "actions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("write_group", sa.Text(), nullable=False),
        sa.Column("listing_id", sa.BigInteger(), nullable=True),
        sa.Column("variant_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "variant_ids", sa.ARRAY(sa.BigInteger()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("remote_parent", sa.Text(), nullable=True),
        sa.Column("remote_variant", sa.Text(), nullable=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("input_hash", sa.Text(), nullable=False),
        sa.Column(
            "changes",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column("guards", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column(
            "lane",
            sa.Integer(),
            nullable=False,
            comment="0 fulfillment, 1 quantity, 2 price, 3 content",
        ),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column(
            "revisions",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="planned from",
        ),
        sa.Column(
            "steps",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "max_batch",
            sa.Integer(),
            nullable=True,
            comment="bisecting: largest batch it may travel in",
        ),
        sa.Column("approved", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "sent_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the last request that names it left",
        ),
        sa.Column(
            "due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "epoch",
            sa.BigInteger(),
            nullable=True,
            comment="fencing token of the lease that sent it",
        ),
        sa.Column("outcome_code", sa.Text(), nullable=True),
        sa.Column("outcome_message", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_actions_channel_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_actions_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_actions")),
    )
    op.create_index(
        "ix_actions_due",
        "actions",
        ["channel_id", "lane", "due_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('DUE', 'SENDING', 'RETRYING', 'UNKNOWN')"),
    )
    op.create_index(
        "ix_actions_guarded",
        "actions",
        ["channel_id", "finished_at"],
        unique=False,
        postgresql_where=sa.text("guards <> '{}' AND state = 'APPLIED'"),
    )
    op.create_index("ix_actions_listing_id", "actions", ["listing_id", "id"], unique=False)
    op.create_index("ix_actions_object_id", "actions", ["object_id", "id"], unique=False)
    op.create_index("ix_actions_run_id", "actions", ["run_id", "id"], unique=False)
    op.create_index(
        "uq_actions_unfinished",
        "actions",
        ["channel_id", "object_id", "write_group"],
        unique=True,
        postgresql_where=sa.text("state IN ('DUE', 'SENDING', 'RETRYING', 'UNKNOWN')"),
    )
    op.create_table(
        "import_chunks",
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["imports.id"],
            name=op.f("fk_import_chunks_import_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("import_id", "number", name=op.f("pk_import_chunks")),
    )
    op.create_table(
        "import_problems",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=True),
        sa.Column("severity", sa.Text(), server_default="ERROR", nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["imports.id"],
            name=op.f("fk_import_problems_import_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_problems")),
    )
    op.create_index(
        "ix_import_problems_import_id", "import_problems", ["import_id", "id"], unique=False
    )
    op.create_table(
        "import_seen",
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("variant_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.id"], name=op.f("fk_import_seen_import_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("import_id", "variant_id", name=op.f("pk_import_seen")),
    )
    op.create_table(
        "remote_variants",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("remote_listing_id", sa.BigInteger(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=False, comment="their product id"),
        sa.Column(
            "variant", sa.Text(), server_default="", nullable=False, comment="'' where it has none"
        ),
        sa.Column("sku", sa.Text(), nullable=True),
        sa.Column("presence", sa.Text(), nullable=False),
        sa.Column(
            "seen",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "content",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "identifiers",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "link_key", sa.Text(), nullable=True, comment="identifiers[channels.their_identifier]"
        ),
        sa.Column(
            "options",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "import_fields",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "aspects",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("unsellable", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("absent", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("gone", sa.Text(), nullable=True),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channels.id"],
            name=op.f("fk_remote_variants_channel_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["remote_listing_id"],
            ["remote_listings.id"],
            name=op.f("fk_remote_variants_remote_listing_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_remote_variants")),
        sa.UniqueConstraint(
            "channel_id",
            "parent",
            "variant",
            name=op.f("uq_remote_variants_channel_id_parent_variant"),
        ),
    )
    op.create_index(
        "ix_remote_variants_link_key", "remote_variants", ["channel_id", "link_key"], unique=False
    )
    op.create_index(
        "ix_remote_variants_sku", "remote_variants", ["channel_id", "sku"], unique=False
    )
    op.create_index(
        "ix_remote_variants_remote_listing_id",
        "remote_variants",
        ["remote_listing_id"],
        unique=False,
    )
    op.create_table(
        "run_candidates",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("listing_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "round",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="planned last in",
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_run_candidates_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "listing_id", name=op.f("pk_run_candidates")),
    )
    op.create_table(
        "listing_variants",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("listing_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column(
            "fields",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "sources",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "options",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column("presence", sa.Text(), server_default="LISTED", nullable=False),
        sa.Column("asserted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("paused", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("link_state", sa.Text(), server_default="UNLINKED", nullable=False),
        sa.Column("link_hold", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("link_key", sa.Text(), nullable=True),
        sa.Column(
            "link_origin", sa.Text(), nullable=True, comment="KEY, PERSON, PUBLISH or IMPORT"
        ),
        sa.Column("link_reason", sa.Text(), nullable=True),
        sa.Column("link_message", sa.Text(), nullable=True),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("remote_variant_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "kept",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=True,
            comment="what hiding overwrote; not null: we hid it",
        ),
        sa.Column("was", sa.Text(), server_default="NOT_LISTED", nullable=False),
        sa.Column(
            "wanted",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "content",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "withheld",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "accepted",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("zero_cause", sa.Text(), server_default="STATEMENT", nullable=False),
        sa.Column("stale", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("flagged", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channels.id"],
            name=op.f("fk_listing_variants_channel_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["listing_id"],
            ["listings.id"],
            name=op.f("fk_listing_variants_listing_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["remote_variant_id"],
            ["remote_variants.id"],
            name=op.f("fk_listing_variants_remote_variant_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listing_variants")),
        sa.UniqueConstraint("channel_id", "sku", name=op.f("uq_listing_variants_channel_id_sku")),
    )
    op.create_index(
        "ix_listing_variants_link_key", "listing_variants", ["channel_id", "link_key"], unique=False
    )
    op.create_index(
        "ix_listing_variants_listing_id",
        "listing_variants",
        ["listing_id", "position"],
        unique=False,
    )
    op.create_index(
        "ix_listing_variants_remote_variant_id",
        "listing_variants",
        ["remote_variant_id"],
        unique=False,
        postgresql_where=sa.text("remote_variant_id IS NOT NULL"),
    )
    op.create_index("ix_listing_variants_sku", "listing_variants", ["sku"], unique=False)
    op.create_index(
        "ix_listing_variants_stale",
        "listing_variants",
        ["channel_id"],
        unique=False,
        postgresql_where=sa.text("stale"),
    )
    op.create_index(
        "uq_listing_variants_claim",
        "listing_variants",
        ["remote_variant_id"],
        unique=True,
        postgresql_where=sa.text("link_state = 'LINKED'"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_index(
        "uq_listing_variants_claim",
        table_name="listing_variants",
        postgresql_where=sa.text("link_state = 'LINKED'"),
    )
    op.drop_index(
        "ix_listing_variants_stale",
        table_name="listing_variants",
        postgresql_where=sa.text("stale"),
    )
    op.drop_index("ix_listing_variants_sku", table_name="listing_variants")
    op.drop_index(
        "ix_listing_variants_remote_variant_id",
        table_name="listing_variants",
        postgresql_where=sa.text("remote_variant_id IS NOT NULL"),
    )
    op.drop_index("ix_listing_variants_listing_id", table_name="listing_variants")
    op.drop_index("ix_listing_variants_link_key", table_name="listing_variants")
    op.drop_table("listing_variants")
    op.drop_table("run_candidates")
    op.drop_index("ix_remote_variants_remote_listing_id", table_name="remote_variants")
    op.drop_index("ix_remote_variants_sku", table_name="remote_variants")
    op.drop_index("ix_remote_variants_link_key", table_name="remote_variants")
    op.drop_table("remote_variants")
    op.drop_table("import_seen")
    op.drop_index("ix_import_problems_import_id", table_name="import_problems")
    op.drop_table("import_problems")
    op.drop_table("import_chunks")
    op.drop_index(
        "uq_actions_unfinished",
        table_name="actions",
        postgresql_where=sa.text("state IN ('DUE', 'SENDING', 'RETRYING', 'UNKNOWN')"),
    )
    op.drop_index("ix_actions_run_id", table_name="actions")
    op.drop_index("ix_actions_object_id", table_name="actions")
    op.drop_index("ix_actions_listing_id", table_name="actions")
    op.drop_index(
        "ix_actions_guarded",
        table_name="actions",
        postgresql_where=sa.text("guards <> '{}' AND state = 'APPLIED'"),
    )
    op.drop_index(
        "ix_actions_due",
        table_name="actions",
        postgresql_where=sa.text("state IN ('DUE', 'SENDING', 'RETRYING', 'UNKNOWN')"),
    )
    op.drop_table("actions")
    op.drop_index(
        "ix_runs_open", table_name="runs", postgresql_where=sa.text("finished_at IS NULL")
    )
    op.drop_index("ix_runs_channel_id", table_name="runs")
    op.drop_table("runs")
    op.drop_index("ix_remote_listings_snapshot", table_name="remote_listings")
    op.drop_table("remote_listings")
    op.drop_table("operations")
    op.drop_table("listings")
    op.drop_table("leases")
    op.drop_index("ix_imports_channel_id", table_name="imports")
    op.drop_table("imports")
    op.drop_table("failures")
    op.drop_index("ix_dirty_channel_id", table_name="dirty")
    op.drop_table("dirty")
    op.drop_index(
        "ix_conditions_attention",
        table_name="conditions",
        postgresql_where=sa.text("status = 'ATTENTION'"),
    )
    op.drop_index("ix_conditions_channel_id_reason", table_name="conditions")
    op.drop_table("conditions")
    op.drop_index("ix_attempts_run_id", table_name="attempts")
    op.drop_index("ix_attempts_channel_id", table_name="attempts")
    op.drop_index("ix_attempts_at", table_name="attempts")
    op.drop_index("ix_attempts_action_ids", table_name="attempts", postgresql_using="gin")
    op.drop_table("attempts")
    op.drop_table("workers")
    op.drop_table("tokens")
    op.drop_table("items")
    op.drop_index(
        "uq_channels_name", table_name="channels", postgresql_where=sa.text("removed_at IS NULL")
    )
    op.drop_table("channels")
