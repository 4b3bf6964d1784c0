"""Parts of a checkup: a copy of the module, a Trainer that writes nothing, restored states."""
