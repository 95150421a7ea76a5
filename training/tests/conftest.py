"""Tests that need torch run in the training environment, where it is installed; and that
environment has no Triton client.
"""

from importlib.util import find_spec

collect_ignore = [
    *([] if find_spec("torch") else ["test_training.py"]),
    *([] if find_spec("tritonclient") else ["test_models.py"]),
]
