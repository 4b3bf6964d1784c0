"""The report page of a training run: its record, the contents of the page, and its rendering."""
