"""What is found at the layers' weights and their gradients."""
