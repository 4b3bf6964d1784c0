"""Parts of EarlyStopping: the monitored curve, what ends it, why, and the best weights."""
