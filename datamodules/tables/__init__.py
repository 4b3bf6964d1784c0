"""Reading, cleaning and scaling tables."""
