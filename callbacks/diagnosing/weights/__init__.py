"""Inspection of the layers' weights and gradients."""
