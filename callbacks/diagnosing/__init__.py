"""What `TrainingDoctor` reads off a training, and what it makes of it."""
