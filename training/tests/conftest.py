"""Tests that need torch run in the training environment, where it is installed; and that
environment has neither a Triton client nor pydicom.
"""

from importlib.util import find_spec

collect_ignore = [
    *([] if find_spec("torch") else ["test_training.py"]),
    *([] if find_spec("tritonclient") else ["test_models.py", "test_chosen.py"]),
    *([] if find_spec("pydicom") else ["test_folder.py"]),
]
