"""The version of the code, which is part of every result's provenance."""

CODE_VERSION = "0.1.0"
