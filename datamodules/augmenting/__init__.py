"""What `BatchAugment` is made of."""
