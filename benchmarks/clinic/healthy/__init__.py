"""Programs that train as they should."""
