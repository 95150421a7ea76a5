"""Local TCP ports: who listens, and which are free."""

import asyncio
import secrets
import socket

_CHOSEN_FROM = (20000, 32000)


async def listens(host: str, port: int) -> bool:
    """Does anything accept a connection there?"""
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


def free_ports(count: int) -> list[int]:
    """Loopback ports that are free now, all different, chosen by chance.

    Below those that Linux gives to outgoing connections (32768 and up), so that a home which keeps
    them does not find one taken by a passing connection.
    """
    chance = secrets.SystemRandom()
    found: list[int] = []
    while len(found) < count:
        port = chance.randrange(*_CHOSEN_FROM)
        if port not in found and can_bind(port):
            found.append(port)
    return found


def can_bind(port: int) -> bool:
    """Could a server of ours listen on this loopback port now?"""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
