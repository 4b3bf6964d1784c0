"""Building blocks of the modules: choices by name, and what training needs around a network."""
