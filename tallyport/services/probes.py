"""Asks a server on a socket whether it answers, with nothing but a socket."""

import socket
from pathlib import Path

# PostgreSQL's SSLRequest: answered with one byte before any login, so it needs no password.
_SSL_REQUEST = bytes.fromhex("00000008" + "04d2162f")


def postgres_answers(path: Path, seconds: float = 2.0) -> bool:
    """Say whether a PostgreSQL on this socket answers."""
    return _ask(path, _SSL_REQUEST, seconds) in {b"N", b"S"}


def valkey_answers(path: Path, seconds: float = 2.0) -> bool:
    """Say whether a Valkey on this socket answers and is done loading."""
    return _ask(path, b"PING\r\n", seconds).startswith(b"+PONG")


def _ask(path: Path, question: bytes, seconds: float) -> bytes:
    """Send a few bytes and return the first of the answer, or nothing."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(seconds)
            connection.connect(str(path))
            connection.sendall(question)
            return connection.recv(16)
    except OSError:
        return b""
