"""What the rules judge by: the vital signs of a training as of a report."""
