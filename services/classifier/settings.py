"""What the classifier is told from outside."""

from shared.settings import TritonSettings


class ClassifierSettings(TritonSettings):
    """Nothing beyond the platform's and the inference server's."""
