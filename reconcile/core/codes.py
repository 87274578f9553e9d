"""The codes of decisions: one word a program can branch on for each thing a plan can say.

Pure data. The sentence that goes with a code is made where the decision is made.
"""

from enum import StrEnum


class Code(StrEnum):
    """Why something is done, or is not; in CamelCase, as conditions carry it."""

    # --- actions that are there
    KEY_MATCHES = "KeyMatches"
    """LINK: exactly one free remote object has our key."""
    DELETED = "Deleted"
    """BREAK_LINK: a read by id said the remote object is gone."""
    IN_TRASH = "InTrash"
    """BREAK_LINK: the remote object is in the store's trash."""
    DELISTED = "Delisted"
    """BREAK_LINK that records the end of a delisting; or: delisted there as wanted."""
    DIFFERS = "Differs"
    """SYNC: these fields differ."""
    HIDDEN_WANTED = "HiddenWanted"
    """HIDE."""
    LISTED_WANTED = "ListedWanted"
    """UNHIDE."""
    DELISTED_WANTED = "DelistedWanted"
    """DELIST."""
    MISSING = "Missing"
    """PUBLISH: wanted, and not on the channel."""
    CONTENT_DIFFERS = "ContentDiffers"
    """OVERWRITE."""
    NEW_ON_CHANNEL = "NewOnChannel"
    """IMPORT of a product we do not have."""
    IMPORT_DIFFERS = "ImportDiffers"
    """IMPORT over a listing of ours."""

    # --- nothing to do
    IN_SYNC = "InSync"
    LINKED = "Linked"
    NOTHING_WANTED = "NothingWanted"
    """Linked, but no enabled field has a value."""
    HIDDEN_AS_WANTED = "HiddenAsWanted"
    NOT_LISTED = "NotListed"
    """Delisted is wanted and it is not there."""
    NOT_PUBLISHED = "NotPublished"
    """Hidden is wanted and it is not there: nothing is created only to be hidden."""
    OVERWRITE_OFF = "OverwriteOff"
    PUBLISHING_OFF = "PublishingOff"
    ALREADY_OURS = "AlreadyOurs"
    """IMPORT: the remote product is linked already, and ours is kept."""

    # --- it happens by itself later
    PAUSED = "Paused"
    UNFINISHED = "Unfinished"
    ABSENCE_UNPROVEN = "AbsenceUnproven"
    NOT_SEEN_YET = "NotSeenYet"
    NOT_ON_CHANNEL = "NotOnChannel"
    MIRROR_INCOMPLETE = "MirrorIncomplete"
    OTHER_OPERATION = "OtherOperation"

    # --- a person has to act
    KEY_MISSING = "KeyMissing"
    DUPLICATE_KEY_OURS = "DuplicateKeyOurs"
    SEVERAL_CANDIDATES = "SeveralCandidates"
    CLAIMED_BY_ANOTHER = "ClaimedByAnother"
    UNLINKED_BY_PERSON = "UnlinkedByPerson"
    BROKEN_LINK = "BrokenLink"
    HIDDEN_ON_STORE = "HiddenOnStore"
    DELISTED_ON_STORE = "DelistedOnStore"
    STRUCTURE_DIFFERS = "StructureDiffers"
    LINKED_ELSEWHERE = "LinkedElsewhere"
    PUBLISH_BLOCKED = "PublishBlocked"
    NO_VARIANTS = "NoVariants"
    FAILED_BEFORE = "FailedBefore"
    UNSUPPORTED = "Unsupported"
    POLICY_FORBIDS = "PolicyForbids"
    KEY_MISSING_THEIRS = "KeyMissingTheirs"
    DUPLICATE_KEY_THEIRS = "DuplicateKeyTheirs"
    KEY_TAKEN = "KeyTaken"
    """IMPORT: a listing of ours has this key and is linked to another object, or held."""

    # --- a wanted value that is not sent
    CURRENCY_MISMATCH = "CurrencyMismatch"
    INVALID = "Invalid"
    NO_VALUE = "NoValue"
    NOT_MAPPED = "NotMapped"
    HIDDEN = "Hidden"
