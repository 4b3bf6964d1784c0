"""One file for each problem: a function of the vital signs, with its reason and source."""
