"""What reaches a network and its layers: batches, inputs, sequences, norms."""
