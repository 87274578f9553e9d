"""What a cell may say: text → canonical value in our vocabulary, or a reason that helps.

Pure. Amounts stay decimal text from the file to the store; no float is ever made of one. Used by
our own formats and by the platforms' product-CSV layouts.
"""

import re
from decimal import Decimal
from typing import TypeAlias
from urllib.parse import urlsplit

from reconcile.core.types import OurField, Presence, Value

MAX_QUANTITY = 2_147_483_647
MAX_SKU = 255

Statement: TypeAlias = dict[str, Value]
"""Values by field name while they are being gathered."""

_PLAIN = re.compile(r"(\d{0,12})(?:\.(\d{0,8}))?", re.ASCII)
_COMMA = re.compile(r"\d+,\d{1,2}", re.ASCII)
_WHOLE = re.compile(r"\d{1,10}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_SPREADSHEET_NUMBER = re.compile(r"\d([.,]\d+)?E\+?\d+", re.ASCII | re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

WEIGHT_UNITS = {
    "oz": "oz",
    "lb": "lb",
    "lbs": "lb",
    "kg": "kg",
    "kgs": "kg",
    "g": "g",
}
DIMENSION_UNITS = ("mm", "cm", "m", "in", "ft", "yd")
_TRUE = frozenset({"true", "yes", "1"})
_FALSE = frozenset({"false", "no", "0"})
_GTIN_LENGTHS = frozenset({8, 12, 13, 14})


class BadValueError(ValueError):
    """A cell says something its field cannot hold; the row is not taken."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def shown(value: str) -> str:
    """A value as it may stand in a message: quoted and not longer than a glance."""
    return repr(value if len(value) <= 40 else value[:37] + "...")


def checked_text(field: str, value: str) -> str:
    """The text without blanks around it; it must be storable."""
    if _UNSTORABLE.search(value):
        raise BadValueError("BadText", f"{field} contains a character that cannot be stored")
    return value.strip()


def sku(value: str) -> str:
    """A SKU: one line of text of at most 255 characters."""
    text = checked_text("sku", value)
    if len(text) > MAX_SKU:
        raise BadValueError("BadSku", f"a SKU has at most {MAX_SKU} characters, not {len(text)}")
    if _CONTROL.search(text):
        raise BadValueError("BadSku", f"SKU {shown(text)} contains a control character")
    return text


def identifier(field: str, value: str) -> str:
    """An ASIN, GTIN, MPN or UPC as written; a number that a spreadsheet rounded is refused."""
    text = checked_text(field, value).removeprefix("'")
    if _SPREADSHEET_NUMBER.fullmatch(text) and field in (OurField.GTIN, OurField.UPC):
        raise BadValueError(
            "BadIdentifier",
            f"{field} is {shown(text)}: a spreadsheet has rounded it; format the column as text",
        )
    return text


def barcode(value: str) -> Statement:
    """A barcode as the identifiers it is: 12 digits are a UPC and a GTIN, other lengths a GTIN."""
    text = identifier(OurField.GTIN, value)
    digits = text.replace(" ", "").replace("-", "")
    if not (digits.isascii() and digits.isdigit() and len(digits) in _GTIN_LENGTHS):
        return {OurField.CUSTOM_FIELDS: {"barcode": text}}
    if len(digits) == 12:
        return {OurField.GTIN: digits, OurField.UPC: digits}
    return {OurField.GTIN: digits}


def amount(field: str, value: str) -> str:
    """A price as decimal text with at least two places; more places are kept."""
    text = value.strip()
    match = _PLAIN.fullmatch(text)
    if match is None or not text.strip("."):
        raise BadValueError("BadPrice", f"{field} is {shown(text)}: {_why_no_price(text)}")
    whole, places = match.group(1).lstrip("0") or "0", (match.group(2) or "").rstrip("0")
    return f"{whole}.{places:0<2}"


def _why_no_price(text: str) -> str:
    if text.startswith("-"):
        return "a price cannot be negative"
    if _COMMA.fullmatch(text):
        return f"write it with a point, {text.replace(',', '.')}"
    if "," in text:
        return "write it with a point and without thousands separators"
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return "a price has at most 12 digits before the point and 8 after it"
    return "a price is digits and a point, such as 13.50; its currency has a column of its own"


def money(field: str, value: str, currency: str) -> Value:
    """A price in its currency."""
    return {"amount": amount(field, value), "currency": currency}


def currency_code(value: str) -> str:
    """Three letters as in ISO 4217."""
    text = value.strip().upper()
    if not _CURRENCY.fullmatch(text):
        raise BadValueError("BadCurrency", f"currency is {shown(value)}: write a code such as EUR")
    return text


def quantity(value: str) -> int:
    """A whole number of units, zero or more."""
    text = value.strip()
    if text.startswith("-"):
        raise BadValueError("BadQuantity", f"quantity is {shown(text)}: it cannot be negative")
    if not _WHOLE.fullmatch(text):
        raise BadValueError("BadQuantity", f"quantity is {shown(text)}: write a whole number")
    number = int(text)
    if number > MAX_QUANTITY:
        raise BadValueError("BadQuantity", f"quantity is {text}: at most {MAX_QUANTITY:,}")
    return number


def measure(field: str, value: str, code: str) -> str:
    """A weight or length as decimal text without needless zeros."""
    text = value.strip()
    if not _PLAIN.fullmatch(text) or not text.strip("."):
        why = "write it with a point" if "," in text else "write a number such as 1.5"
        raise BadValueError(code, f"{field} is {shown(text)}: {why}")
    return f"{Decimal(text).normalize():f}"


def weight(value: str, unit: str | None) -> Value:
    """A weight with its unit: oz, lb, kg or g."""
    number = measure("weight", value, "BadWeight")
    known = WEIGHT_UNITS.get((unit or "").strip().lower())
    if known is None:
        said = f"weight_unit is {shown(unit)}" if unit else "weight has no weight_unit"
        raise BadValueError("BadWeight", f"{said}: write oz, lb, kg or g")
    return {"value": number, "unit": known}


def dimensions(
    length: str | None, width: str | None, height: str | None, unit: str | None
) -> Value:
    """Length, width and height with one unit; all or none."""
    if not (length and width and height):
        raise BadValueError("BadDimensions", "length, width and height are stated together")
    known = (unit or "").strip().lower()
    if known not in DIMENSION_UNITS:
        said = f"dimension_unit is {shown(unit)}" if unit else "there is no dimension_unit"
        raise BadValueError("BadDimensions", f"{said}: write {', '.join(DIMENSION_UNITS)}")
    return {
        "length": measure("length", length, "BadDimensions"),
        "width": measure("width", width, "BadDimensions"),
        "height": measure("height", height, "BadDimensions"),
        "unit": known,
    }


def images(values: list[str]) -> list[Value]:
    """Addresses of images in their order, each once."""
    found: dict[str, None] = {}
    for value in values:
        address = checked_text("images", value)
        if not address:
            continue
        if not _is_address(address):
            raise BadValueError("BadImage", f"{shown(address)} is no http or https address")
        found[address] = None
    return list(found)


def _is_address(text: str) -> bool:
    if _CONTROL.search(text) or " " in text:
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def presence(value: str) -> str:
    """Where the variant should be."""
    text = value.strip().upper()
    if text not in Presence.__members__:
        known = ", ".join(Presence)
        raise BadValueError("BadPresence", f"presence is {shown(value)}: write one of {known}")
    return text


def flag(field: str, value: str) -> bool:
    """Yes or no, in the ways programs write it."""
    text = value.strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise BadValueError("BadFlag", f"{field} is {shown(value)}: write true or false")
