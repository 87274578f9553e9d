"""Opaque ids of nodes and cursors of pages; nothing else in the API knows how they are made."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from enum import StrEnum

from api.faults import UserFaultError


class Kind(StrEnum):
    """The types that have an id; the value is the GraphQL type's name."""

    ACTION = "Action"
    ATTEMPT = "Attempt"
    CHANNEL = "Channel"
    IMPORT = "Import"
    ITEM = "Item"
    LISTING = "Listing"
    ORDER = "Order"
    ORDER_LINE = "OrderLine"
    REMOTE_ORDER = "RemoteOrder"
    REMOTE_VARIANT = "RemoteVariant"
    RUN = "Run"
    SHIPMENT = "Shipment"
    SHIPPING_MAPPING = "ShippingMapping"
    SHIPPING_TEXT = "ShippingText"
    TOKEN = "Token"  # noqa: S105 - a type's name
    VARIANT = "ListingVariant"


_LARGEST = 2**63 - 1
_CURSOR = "after"


class BadIdError(UserFaultError):
    """A string that is no id of the kind asked for; the message says what an id looks like."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="BAD_ID")


def _encode(kind: str, number: int) -> str:
    return urlsafe_b64encode(f"{kind}:{number}".encode()).decode().rstrip("=")


def _decode(text: str) -> tuple[str, int] | None:
    try:
        plain = urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)).decode()
    except ValueError:
        return None
    kind, separator, digits = plain.partition(":")
    if not separator or not digits.isascii() or not digits.isdigit() or len(digits) > 19:
        return None
    number = int(digits)
    return (kind, number) if 0 < number <= _LARGEST else None


def encode(kind: Kind, number: int) -> str:
    """The opaque id of an object."""
    return _encode(kind.value, number)


def decode(text: str, *kinds: Kind) -> tuple[Kind, int]:
    """Kind and number of an opaque id; `BadIdError` unless it is of one of the kinds."""
    wanted = " or ".join(kind.value for kind in kinds) or "object"
    found = _decode(text)
    if found is None or found[0] not in {kind.value for kind in Kind}:
        example = encode(kinds[0] if kinds else Kind.LISTING, 42)
        raise BadIdError(
            f"This is not an id of {_article(wanted)}. Ids are opaque strings such as {example!r}, "
            "taken from an `id` field of an earlier answer; names and SKUs are not ids."
        )
    kind = Kind(found[0])
    if kinds and kind not in kinds:
        given = _article(kind.value)
        raise BadIdError(f"This is the id of {given}; the id of {_article(wanted)} is needed here.")
    return kind, found[1]


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'AEIOaeiou' else 'a'} {noun}"


def number_of(text: str, kind: Kind) -> int:
    """The number behind an opaque id of that kind."""
    return decode(text, kind)[1]


def numbers_of(texts: Iterable[str], kind: Kind) -> list[int]:
    """The numbers behind opaque ids of that kind, in the same order."""
    return [number_of(text, kind) for text in texts]


def encode_cursor(number: int) -> str:
    """The cursor of the page position after the object with that number."""
    return _encode(_CURSOR, number)


def decode_cursor(text: str | None) -> int | None:
    """The position a cursor stands for; None without one."""
    if text is None:
        return None
    found = _decode(text)
    if found is None or found[0] != _CURSOR:
        raise UserFaultError(
            "`after` is not a cursor. Take it from `pageInfo.endCursor` of the page before.",
            code="BAD_CURSOR",
        )
    return found[1]
