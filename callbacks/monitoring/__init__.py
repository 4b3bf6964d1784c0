"""What the monitors are made of: seeing, recording, logging, and never failing the run."""
