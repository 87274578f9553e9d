"""What all tables are made of: the one metadata, and columns that mean the same everywhere."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    MetaData,
    func,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Time = DateTime(timezone=True)
EMPTY_OBJECT = text("'{}'::jsonb")
EMPTY_LIST = text("'[]'::jsonb")


def id_column() -> Column[int]:
    """The primary key of a table."""
    return Column("id", BigInteger, Identity(always=False), primary_key=True)


def channel_column() -> Column[int]:
    """The channel a row belongs to."""
    return Column(
        "channel_id", BigInteger, ForeignKey("channels.id", ondelete="CASCADE"), nullable=False
    )


def flag(name: str, *, default: bool = False) -> Column[bool]:
    """A yes or no."""
    return Column(name, Boolean, nullable=False, server_default=text(str(default).lower()))


def created(name: str = "created_at") -> Column[object]:
    """When the row was made."""
    return Column(name, Time, nullable=False, server_default=func.now())


def revision() -> Column[int]:
    """Counts the changes of a row."""
    return Column("revision", BigInteger, nullable=False, server_default=text("1"))
