"""Turns a MONAI bundle into a model of the repository: its network and its transforms."""
