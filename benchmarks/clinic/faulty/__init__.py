"""Programs with a fault, each with the expert's remedy."""
