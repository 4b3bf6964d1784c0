"""Decide whether to stop training: the monitored curve, its criteria, and the reason."""
