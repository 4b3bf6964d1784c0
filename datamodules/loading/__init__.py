"""Splits, order and loaders: what all data modules share."""
