"""Observation of a network's activations and their units, call by call."""
