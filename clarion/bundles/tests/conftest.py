"""Parity with MONAI is tested where it is installed: in the training environment."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("monai") and find_spec("torch") else ["test_parity.py"]
