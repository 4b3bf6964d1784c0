"""What can be read off a loss: its kind, its outputs and targets, and the layers behind it."""
