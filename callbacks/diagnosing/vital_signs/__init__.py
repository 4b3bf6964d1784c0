"""The vital signs of a training as of a report, by which the rules judge."""
