"""Reference models for Clarion: trained on procedural phantoms, exported for Triton, measured."""
