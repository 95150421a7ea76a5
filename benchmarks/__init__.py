"""Ours against the peers, as ratios in one run."""
