"""Reading, encoding and augmenting texts."""
