"""Where labelled images come from, and what is measured on them."""
