"""The platform that every service stands on: no clinical algorithm, no topology."""
