"""OAuth 1.0a, one-legged, as WooCommerce asks for over plain http; pure.

Own code because the part needed is these few lines, while the libraries bring token flows that this
platform does not have.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote


def signed(
    method: str,
    url: str,
    params: Mapping[str, str],
    *,
    key: str,
    secret: str,
    timestamp: int,
    nonce: str,
) -> dict[str, str]:
    """The parameters to add to the query; made anew for each try, since a nonce serves once."""
    oauth = {
        "oauth_consumer_key": key,
        "oauth_nonce": nonce,
        "oauth_signature_method": "HMAC-SHA256",
        "oauth_timestamp": str(timestamp),
    }
    pairs = sorted((_quoted(name), _quoted(text)) for name, text in {**params, **oauth}.items())
    query = "&".join(f"{name}={text}" for name, text in pairs)
    base = "&".join((method.upper(), _quoted(url), _quoted(query)))
    digest = hmac.new(f"{secret}&".encode(), base.encode(), hashlib.sha256).digest()
    return {**oauth, "oauth_signature": base64.b64encode(digest).decode()}


def _quoted(text: str) -> str:
    return quote(text, safe="-._~")
