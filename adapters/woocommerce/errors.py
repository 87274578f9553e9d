"""WooCommerce's error bodies, read into the contract's errors; pure.

Messages of a store are in the store's language, so only codes and statuses are branched on. The one
exception is the word "nonce", which has no code of its own: where a translation has another word
for it, the answer counts as a refused key.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from adapters.http import Answer, Call
from adapters.redaction import clean_text
from reconcile.contract import (
    AdapterError,
    GoneError,
    RejectedError,
    UnauthorizedError,
    UnavailableError,
    UnexpectedResponseError,
)

SIGNED_AT = "oauth_timestamp"
_SAME_TIME = timedelta(minutes=14)
AUTHENTICATION_ERROR = "woocommerce_rest_authentication_error"


class RefusedError(RejectedError):
    """A refusal that names the object in the way (`data.resource_id`), where there is one."""

    resource_id: int | None = None


_KEY_UNKNOWN = (
    "WooCommerce took the request as one without a login ({said}). Either the consumer key is "
    "unknown or revoked, or it did not arrive: the store does not see that the connection is https "
    "(a proxy in front hides it), or the host drops the Authorization header (the channel setting "
    "authentication = query goes around that)"
)


def read_error(call: Call, answer: Answer) -> AdapterError | None:
    """What an error body says; None leaves it to the general rules."""
    body = answer.body
    if not isinstance(body, dict) or not isinstance(body.get("code"), str):
        return None
    code, status = str(body["code"]), answer.status
    said = _message(body.get("message"), body.get("data"))
    if is_gone(code, status):
        return GoneError(said, code="InTrash" if status == 410 else "Deleted", status=status)
    match status:
        case 401:
            return _login_refused(call, answer, code, said)
        case 403:
            message = f"The WordPress user of the key lacks a right: {said}"
            return UnauthorizedError(message, code="RightMissing", status=status)
        case 404 if code == "rest_no_route":
            message = f"The store has no route {call.route}; is WooCommerce active and up to date?"
            return UnexpectedResponseError(message, code="NoSuchRoute", status=status)
        case _ if status >= 500:
            message = f"The store failed at {call.route} with status {status}: {said}"
            return UnavailableError(message, code=code, effect=call.effect, status=status)
        case _ if 400 <= status < 500 and status not in (408, 425, 429):
            refused = RefusedError(said or code, code=code, status=status)
            data = body.get("data")
            resource = data.get("resource_id") if isinstance(data, dict) else None
            refused.resource_id = resource if isinstance(resource, int) else None
            return refused
        case _:
            return None


def _login_refused(call: Call, answer: Answer, code: str, said: str) -> AdapterError:
    """A request that the store did not let in: a copy, a wrong clock, or a key that is none."""
    if code != AUTHENTICATION_ERROR:
        message = _KEY_UNKNOWN.format(said=said.rstrip("."))
        return UnauthorizedError(message, code="KeyUnknown", status=401)
    if "nonce" in said.lower():
        # Each request has a nonce of its own, so this answers the second copy of one that
        # something on the way has doubled; the first copy may have done its work.
        message = f"{call.route} reached the store twice, and the second was refused: {said}"
        return UnavailableError(message, code="Doubled", effect=call.effect, status=401)
    if theirs := _other_time(call, answer):
        # Pausing would outlast the wrong clock; the key may be as good as ever.
        message = (
            f"The store refused the time of the request: its clock shows {theirs:%H:%M} UTC, "
            f"this server's {answer.sent_at:%H:%M}. Set the clock that is wrong right, or use an "
            f"https address, which needs none. It said: {said}"
        )
        return UnavailableError(message, code="ClockDiffers", status=401)
    return UnauthorizedError(f"WooCommerce refused the key: {said}", code="KeyRefused", status=401)


def _other_time(call: Call, answer: Answer) -> datetime | None:
    """What the store's clock showed, where a signature cannot be right for want of the same time.

    WooCommerce takes signatures for 15 minutes before and after its own time.
    """
    if SIGNED_AT not in call.secret_params:
        return None
    try:
        theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
    except ValueError:
        return None
    theirs = theirs if theirs.tzinfo is not None else theirs.replace(tzinfo=UTC)
    return theirs if abs(theirs - answer.sent_at) > _SAME_TIME else None


def is_gone(code: str, status: int) -> bool:
    """Whether an error says that the object does not exist (any more).

    A PUT on a missing product is 400, a GET 404, a batch row either: only the code is the same.
    """
    if status == 410:
        return code == "woocommerce_rest_already_trashed"
    return status in (400, 404) and code in {
        "woocommerce_rest_product_invalid_id",
        "woocommerce_rest_invalid_product_id",
        "woocommerce_rest_product_variation_invalid_id",
        "woocommerce_rest_invalid_product_variation_id",
        "woocommerce_rest_shop_order_invalid_id",
        "woocommerce_rest_order_invalid_id",
        "woocommerce_rest_invalid_order_id",
    }


def _message(message: object, data: object) -> str:
    said = clean_text(str(message or ""))[:300]
    params = data.get("params") if isinstance(data, dict) else None
    if isinstance(params, dict):
        said += " " + "; ".join(clean_text(str(text))[:200] for text in params.values())
    return said.strip()
