"""One module per problem: a function of the vital signs, with its rationale and sources."""
