"""How `TrainingDoctor` observes a training run and diagnoses it."""
