"""Measures models on cases with truth: what is read, what is compared, what is told of it."""
