"""What ratio is told from outside."""

from shared.settings import Settings


class RatioSettings(Settings):
    """Nothing beyond the platform's."""
