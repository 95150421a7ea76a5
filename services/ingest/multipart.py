"""Splits a multipart body (RFC 2046 5.1) as it arrives: a study is never whole in memory."""

from collections.abc import AsyncIterator

_HEADERS_END = b"\r\n\r\n"


class NotMultipart(Exception):
    """The body does not end as a multipart body does."""


async def parts(stream: AsyncIterator[bytes], boundary: str) -> AsyncIterator[bytes]:
    """The content of each part, without its headers. Raises `NotMultipart`."""
    delimiter = b"\r\n--" + boundary.encode("latin-1")
    held = bytearray(b"\r\n")  # the first delimiter may begin the body
    searched, inside = 0, False
    async for chunk in stream:
        held += chunk
        while (at := held.find(delimiter, searched)) >= 0:
            if inside:
                yield _content(held[:at])
            inside, searched = True, 0
            del held[: at + len(delimiter)]
        searched = max(0, len(held) - len(delimiter))
    if not inside or not held.startswith(b"--"):
        raise NotMultipart


def _content(part: bytearray) -> bytes:
    """What follows the blank line; a part without headers begins with it."""
    _, found, content = part.partition(_HEADERS_END)
    if not found:
        raise NotMultipart
    return bytes(content)
