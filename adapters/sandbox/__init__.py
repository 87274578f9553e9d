"""The parts that every platform simulator shares: clock, books, faults, rate limit and serving.

Stands beside the platform folders and knows no platform: each simulator hands in an ASGI
application that speaks the platform's wire and gets it back behind `Front`, which keeps books,
makes the store fail on request and answers the control routes (`/_books`, `/_faults`, `/_shop`,
`/_clock`). Must not import an adapter or the reconciliation core.
"""

from adapters.sandbox.books import Books
from adapters.sandbox.clock import Clock
from adapters.sandbox.faults import Effect, Fault
from adapters.sandbox.front import Front, RateLimit
from adapters.sandbox.serving import InProcess, Sandbox, serving
from adapters.sandbox.wire import App, ControlError, DroppedError, Json, Reply

__all__ = [
    "App",
    "Books",
    "Clock",
    "ControlError",
    "DroppedError",
    "Effect",
    "Fault",
    "Front",
    "InProcess",
    "Json",
    "RateLimit",
    "Reply",
    "Sandbox",
    "serving",
]
