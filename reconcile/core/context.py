"""What a plan depends on besides the listings: operation, policy, capabilities, settings.

Pure values. The runtime fills one `PlanContext` per run from the channel and its Platform record.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconcile.core.actions import ActionKind
from reconcile.core.types import Operation, Presence, WritePolicy

CONTENT_GROUP = "content"
"""Write group of PUBLISH and OVERWRITE, and of whatever has no other."""
LINK_GROUP = "link"
"""Group of LINK and BREAK_LINK."""
IMPORT_GROUP = "import"
"""Group of IMPORT."""


class ImportMode(StrEnum):
    """What IMPORT_LISTINGS does with a product that is a listing of ours already."""

    CREATE = "CREATE"
    """Leave ours as it is."""
    OVERWRITE = "OVERWRITE"
    """Bring the channel's values over ours."""


@dataclass(frozen=True, slots=True)
class PresenceRule:
    """How one presence is written; the part of a platform's `PresenceForm` that planning needs."""

    write_group: str = CONTENT_GROUP
    overwrites: frozenset[str] = frozenset()
    """Fields of group SYNC that it overwrites; they are not synchronized meanwhile."""
    is_readable: bool = True


_PLAIN = PresenceRule()


@dataclass(frozen=True, slots=True)
class PlanContext:
    """Everything a decision depends on that is not in the listing itself."""

    channel_id: str
    operation: Operation
    policy: WritePolicy = WritePolicy.FULL
    supported: frozenset[ActionKind] = frozenset()
    """Actions on the channel that the platform can carry out; local ones need not be here."""
    unsupported: Mapping[ActionKind, str] = field(default_factory=dict)
    """The others with the platform's reason."""
    write_groups: Mapping[str, str] = field(default_factory=dict)
    """Channel field of group SYNC → write group."""
    price_fields: frozenset[str] = frozenset()
    """Channel fields of role PRICE: a drop of 50 % or more counts for the guard."""
    quantity_fields: frozenset[str] = frozenset()
    """Channel fields of role QUANTITY: zero by a statement counts for the guard."""
    presence: Mapping[Presence, PresenceRule] = field(default_factory=dict)
    is_full: bool = False
    """The run looked at everything, not only at what was dirty."""
    mirror_complete: bool = False
    """The channel has been listed completely at least once; nothing is published before."""
    ours_title: str = "SKU"
    """Our linking identifier, for messages."""
    theirs_title: str = "SKU"
    """Their linking identifier, for messages."""
    their_identifier: str = "sku"
    """Their linking identifier: a key of `RemoteVariant.identifiers`."""
    channel_title: str = "the channel"
    """How messages call the channel."""
    import_mode: ImportMode = ImportMode.CREATE
    overwrite_enabled: bool = False
    """PUBLISH_LISTINGS also sends changed content of linked listings."""
    publish_missing: bool = True
    """PUBLISH_LISTINGS creates what is not on the channel."""
    scheduled: bool = False
    """Nobody started this run by hand: an import that overwrites ours counts for the guard."""

    def rule(self, presence: Presence) -> PresenceRule:
        """How that presence is written; a plain one where the platform declares none."""
        return self.presence.get(presence, _PLAIN)

    def write_group(self, name: str) -> str:
        """The write group of a channel field."""
        return self.write_groups.get(name, CONTENT_GROUP)

    def can(self, kind: ActionKind) -> bool:
        """Whether the action can be carried out at all; our own records can always change."""
        if kind.is_local:
            return kind not in self.unsupported
        return kind in self.supported
