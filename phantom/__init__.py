"""Procedural chest CT with its truth, for demo, tests, load and training: nobody's image."""

from phantom.anatomy import Phantom, draw
from phantom.recipe import Recipe

__all__ = ["Phantom", "Recipe", "draw"]
