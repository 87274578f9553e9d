"""The errors of an adapter, sorted by what the caller does next.

::

    AdapterError                 effect: NONE (nothing happened there) or POSSIBLE (it may have)
    ├── RateLimitedError         wait `retry_after`, then again
    ├── UnavailableError         back off, then again (5xx, time-outs, connections)
    ├── UnauthorizedError        pause the channel: a person must renew the credentials
    ├── RejectedError            do not repeat before an input changes; the platform says why
    ├── GoneError                the object is not there (any more)
    ├── UnsupportedError         the platform cannot do this at all
    └── UnexpectedResponseError  the answer makes no sense (HTML, cut JSON); again later
"""

from datetime import timedelta
from enum import StrEnum


class Effect(StrEnum):
    """Whether a failed request may have changed something on the platform."""

    NONE = "NONE"
    POSSIBLE = "POSSIBLE"


class AdapterError(Exception):
    """Something an adapter could not do; the message is fit for an operator and holds no secret."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        effect: Effect = Effect.NONE,
        status: int | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).__name__.removesuffix("Error")
        """CamelCase or the platform's own code; what a program branches on."""
        self.effect = effect
        self.status = status
        """HTTP status, where there was an answer."""
        self.retry_after = retry_after


class RateLimitedError(AdapterError):
    """The account's request budget is used up; go on after `retry_after`."""


class UnavailableError(AdapterError):
    """The platform did not answer, or answered that it cannot now; back off and try again."""


class UnauthorizedError(AdapterError):
    """The credentials are wrong, revoked or lack a permission; the channel is paused."""


class RejectedError(AdapterError):
    """The platform refused the input for good, with its reasons."""


class GoneError(AdapterError):
    """The object does not exist there (any more)."""


class UnsupportedError(AdapterError):
    """The platform cannot do this at all; said before anything is sent."""


class UnexpectedResponseError(AdapterError):
    """The answer is not what the platform's API promises; nothing is concluded from it."""
