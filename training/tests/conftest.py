"""Tests that need torch run in the training environment, where it is installed."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["test_training.py"]
