"""What a checkup is made of: a copy, a Trainer that leaves nothing behind, care of the rest."""
