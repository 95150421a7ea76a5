"""Load on an embedded system: studies at a rate, what became of each, and how many it can hold."""
