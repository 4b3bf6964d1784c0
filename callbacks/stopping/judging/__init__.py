"""Whether a training is to stop: the watched curve, its criteria, and the reason."""
