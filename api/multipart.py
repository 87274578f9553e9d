"""The one file of a multipart form, streamed: nothing of it is kept in memory or on disk."""

from collections.abc import AsyncIterator

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from api.http import HttpFaultError


class _Parts:
    """Collects the content of the first part that has a file name."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.has_file = False
        self._name = b""
        self._value = b""
        self._is_file = False

    def begin(self) -> None:
        """Start of a part."""
        self._is_file = False

    def header_field(self, data: bytes, start: int, end: int) -> None:
        """A piece of a header's name."""
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        """A piece of a header's value."""
        self._value += data[start:end]

    def header_end(self) -> None:
        """A header is complete."""
        if self._name.lower() == b"content-disposition" and not self.has_file:
            _, options = parse_options_header(self._value)
            self._is_file = b"filename" in options
            self.has_file = self._is_file
        self._name = self._value = b""

    def data(self, data: bytes, start: int, end: int) -> None:
        """A piece of a part's content."""
        if self._is_file:
            self.content += data[start:end]


async def file_of(stream: AsyncIterator[bytes], content_type: str) -> AsyncIterator[bytes]:
    """The pieces of the first file in a multipart body."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise HttpFaultError(400, "BAD_REQUEST", "The multipart body has no boundary.")
    parts = _Parts()
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": parts.begin,
            "on_header_field": parts.header_field,
            "on_header_value": parts.header_value,
            "on_header_end": parts.header_end,
            "on_part_data": parts.data,
        },
    )
    try:
        async for piece in stream:
            parser.write(piece)
            if parts.content:
                yield bytes(parts.content)
                parts.content.clear()
        parser.finalize()
    except MultipartParseError:
        raise HttpFaultError(400, "BAD_REQUEST", "The multipart body is malformed.") from None
    if not parts.has_file:
        raise HttpFaultError(400, "BAD_REQUEST", "The multipart body holds no file.")
