"""Gradients before an optimiser step, their noise, and the updates that the step makes."""
