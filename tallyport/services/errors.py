"""The one error of the embedded services.

Its text is shown as it is, so it says what to do and holds no secret.
"""


class ServicesError(RuntimeError):
    """The embedded servers cannot work here; the text says why and what to do about it."""
