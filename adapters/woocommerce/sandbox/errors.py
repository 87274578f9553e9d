"""How the simulated store refuses, in the platform's own words."""

from adapters.sandbox import Json

_CRASH = (
    "<p>There has been a critical error on this website.</p><p>"
    '<a href="https://wordpress.org/documentation/article/faq-troubleshooting/">'
    "Learn more about troubleshooting WordPress.</a></p>"
)


class ApiError(Exception):
    """A refusal with WordPress's three parts: code, message and data."""

    def __init__(self, code: str, message: str, status: int, **data: Json) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.data = data

    def content(self) -> dict[str, Json]:
        """Return the body of the answer, which is also the `error` of a batch row."""
        return {
            "code": self.code,
            "message": self.message,
            "data": {"status": self.status, **self.data},
        }


class CrashError(Exception):
    """A PHP fatal error: the request dies here, and what it did before stays done."""

    @staticmethod
    def content() -> dict[str, Json]:
        """Return the body of the answer."""
        return {
            "code": "internal_server_error",
            "message": _CRASH,
            "data": {"status": 500},
            "additional_errors": [],
        }


def no_route() -> ApiError:
    """Return the refusal of a path or method that WordPress does not know."""
    message = "No route was found matching the URL and request method."
    return ApiError("rest_no_route", message, 404)


def invalid_id(kind: str, status: int) -> ApiError:
    """Return the refusal of an id that is not there; an update of a product says 400."""
    return ApiError(f"woocommerce_rest_{kind}_invalid_id", "Invalid ID.", status)


def already_trashed(kind: str) -> ApiError:
    """Return the refusal to trash what is in the trash."""
    message = f"The {kind} has already been deleted."
    return ApiError("woocommerce_rest_already_trashed", message, 410)
