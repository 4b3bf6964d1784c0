"""A module or folder per problem: a function of the vital signs, with rationale and sources."""
