"""Bytes → lines of text, each with its number; a line that is not text is said so and passed on.

Lines are the physical ones an editor shows: LF, CRLF and CR end a line. UTF-8, with or without a
byte order mark, and UTF-16 with one. Memory holds one chunk and one line.
"""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MAX_LINE = 4 * 1024 * 1024
"""Bytes in a line; a longer one is a broken file, not a listing."""

_LINE_END = re.compile(rb"\r\n|\n|\r")
_REPLACEMENT = "\ufffd"


@dataclass(frozen=True, slots=True)
class Line:
    """One physical line with its end of line, and what is wrong with it if anything is."""

    number: int
    text: str
    code: str = ""
    problem: str = ""


def read_lines(chunks: Iterable[bytes]) -> Iterator[Line]:
    """Every line of the file in order, the broken ones included."""
    source = iter(chunks)
    head = b""
    for chunk in source:
        head += chunk
        if len(head) >= len(BOM_UTF8):
            break
    if head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        pieces = _from_utf16(_with_head(head, source))
        transcoded = True
    else:
        pieces = _with_head(head.removeprefix(BOM_UTF8), source)
        transcoded = False
    for number, (raw, is_too_long) in enumerate(_split(pieces), start=1):
        if is_too_long:
            problem = f"the line is longer than {MAX_LINE:,} bytes; is a line end missing?"
            yield Line(number, "\n", "LineTooLong", problem)
        else:
            yield _decoded(number, raw, transcoded=transcoded)


def _with_head(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest


def _from_utf16(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same text as UTF-8, so that one splitter serves both; what is broken becomes U+FFFD."""
    decoder = getincrementaldecoder("utf-16")(errors="replace")
    for chunk in chunks:
        yield decoder.decode(chunk).encode()
    yield decoder.decode(b"", final=True).encode()


def _split(chunks: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Pairs of (line with its end, whether it was too long to keep)."""
    buffer = b""
    is_too_long = False
    for chunk in chunks:
        buffer += chunk
        start = 0
        for match in _LINE_END.finditer(buffer):
            if match.end() == len(buffer) and buffer.endswith(b"\r"):
                break  # the LF of a CRLF may be in the next chunk
            yield buffer[start : match.end()], is_too_long or match.end() - start > MAX_LINE
            is_too_long = False
            start = match.end()
        buffer = buffer[start:]
        if len(buffer) > MAX_LINE:
            buffer = buffer[-1:]  # a trailing CR still has to be seen
            is_too_long = True
    if buffer or is_too_long:
        yield buffer, is_too_long


def _decoded(number: int, raw: bytes, *, transcoded: bool) -> Line:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        text = raw.decode(errors="replace").replace("\0", _REPLACEMENT)
        byte = raw[error.start : error.start + 1]
        guess = byte.decode("cp1252", errors="ignore")
        hint = f" (in Windows-1252 it would be {guess!r})" if guess.isprintable() and guess else ""
        problem = (
            f"byte 0x{byte.hex().upper()} at position {error.start + 1} of the line is not UTF-8"
            f"{hint}; save the file as UTF-8"
        )
        return Line(number, text, "BadEncoding", problem)
    if transcoded and _REPLACEMENT in text:
        return Line(number, text, "BadEncoding", "the line is not valid UTF-16; save it as UTF-8")
    if "\0" in text:
        problem = "the line contains a NUL character; save the file as UTF-8 text"
        return Line(number, text.replace("\0", _REPLACEMENT), "BadEncoding", problem)
    return Line(number, text)
