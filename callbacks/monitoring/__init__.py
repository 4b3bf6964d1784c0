"""What the monitors are made of: observing, recording, logging, and never failing the run."""
