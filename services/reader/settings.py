"""What the reader is told from outside: nothing but what every service is."""

from shared.settings import Settings


class ReaderSettings(Settings):
    """The platform's settings."""
