"""What ends a command with status 1 and a sentence on stderr, and not with a traceback."""

import httpx
from pydantic import ValidationError

from deploy.embedded.cache import InstallFailed
from deploy.embedded.system import AlreadyRunning, NotStarted
from deploy.modelrepo.refused import Refused


class Failure(Exception):
    """A command failed; the message says why and what to do."""


FAILURES = (
    *(Failure, Refused, InstallFailed, AlreadyRunning, NotStarted),
    *(httpx.HTTPError, OSError, ValueError),
)


def explain(error: BaseException) -> str:
    """One sentence for a person."""
    if isinstance(error, ValidationError):
        places = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        return f"{error.title}: {'; '.join(places)}"
    if isinstance(error, httpx.HTTPStatusError):
        return f"{error.request.url} answered {error.response.status_code}: {error.response.text}"
    if isinstance(error, httpx.ConnectError):
        return f"nothing answers at {error.request.url}; is the system up? (`clarion up`)"
    return str(error) or type(error).__name__
