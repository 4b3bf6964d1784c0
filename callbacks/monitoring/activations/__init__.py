"""What runs in a network, seen call by call: its activations and their units."""
