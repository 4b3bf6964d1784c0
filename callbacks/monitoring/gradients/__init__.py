"""What an optimiser is about to use, and what it made of it: gradients, noise, steps."""
