"""What the writers are told from outside."""

from shared.settings import Settings


class WritersSettings(Settings):
    """The platform's settings alone."""
