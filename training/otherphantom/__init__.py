"""Chest CT drawn a second way, to measure what learnt from `phantom/`: nothing trains on these.

It shares no code and no construction with `phantom/`: outlines here are polar curves, slice by
slice, bent by noise; vessels grow by space colonisation; disease is thresholded fractal noise.
"""

from training.otherphantom.draw import Drawn, draw

__all__ = ["Drawn", "draw"]
