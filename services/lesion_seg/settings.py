"""What lesion_seg is told from outside."""

from shared.settings import TritonSettings


class LesionSegSettings(TritonSettings):
    """Nothing beyond the platform's and the inference server's."""
