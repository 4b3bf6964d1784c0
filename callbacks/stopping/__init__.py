"""What EarlyStopping is made of: the watched curve, what ends it, why, and the best weights."""
