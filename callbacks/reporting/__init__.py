"""The page that shows how a training went: its record, what is shown of it, and how."""
