"""What of an exchange with a platform may be kept and shown: no secrets, no personal data.

Pure. Works by names of fields and by the channel's own secret values, on any JSON.
"""

import re
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from reconcile.core.types import Value

HIDDEN = "[hidden]"

_MAX_TEXT = 2_000
_MAX_ROWS = 200

_SECRET_NAME = re.compile(
    r"authorization|consumer_(key|secret)|oauth_|(^|_)(token|secret|password|signature|api_?key)$",
    re.IGNORECASE,
)
_PERSONAL_NAMES = frozenset(
    {
        "billing",
        "shipping",
        "customer",
        "customer_note",
        "customer_ip_address",
        "customer_user_agent",
        "email",
        "phone",
        "first_name",
        "last_name",
        "company",
        "address",
        "address_1",
        "address_2",
        "postcode",
        "order_key",
    }
)


def clean_text(text: str) -> str:
    """Text of a page or message as one plain line: no markup, no control characters."""
    plain = re.sub(r"(?is)<(script|style).*?</\1>|<[^>]*>", " ", text)
    return " ".join("".join(c if c.isprintable() else " " for c in plain).split())


def without_json(text: str) -> str:
    """Text that is no JSON, without what in it looks like some: a cut-off answer holds people."""
    begins = [at for at in (text.find("{"), text.find("[{")) if at >= 0]
    if not begins:
        return text
    return f"{text[: min(begins)]} [broken JSON left out]".strip()


def redact(value: Any, secrets: frozenset[str] = frozenset()) -> Value:
    """The value without secrets and personal data, shortened; floats become text.

    `Any` because it takes whatever JSON came, floats included, which `Value` excludes.
    """
    match value:
        case None:
            return None
        case bool() | int():
            return value
        case float():
            return repr(value)
        case str():
            text = value
            for secret in secrets:
                text = text.replace(secret, HIDDEN) if secret else text
            return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + " [shortened]"
        case list() | tuple():
            rows = [redact(item, secrets) for item in value[:_MAX_ROWS]]
            if len(value) > _MAX_ROWS:
                rows.append(f"[{len(value) - _MAX_ROWS} more]")
            return rows
        case dict():
            return {
                str(name): HIDDEN if _is_private(str(name)) and item else redact(item, secrets)
                for name, item in value.items()
            }
        case _:
            return redact(str(value), secrets)


def redact_url(url: str, secrets: frozenset[str] = frozenset()) -> str:
    """The address with secret parameters blanked and a user name removed."""
    parts = urlsplit(url)
    pairs = [
        (name, HIDDEN if _SECRET_NAME.search(name) else str(redact(value, secrets)))
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    ]
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, urlencode(pairs, safe="[],:"), ""))


def _is_private(name: str) -> bool:
    return name.lower() in _PERSONAL_NAMES or _SECRET_NAME.search(name) is not None
