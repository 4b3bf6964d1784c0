"""Inputs of a network and of its layers: batches, features, sequences, norms."""
