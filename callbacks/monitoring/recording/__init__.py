"""Where measurements go: records, files, loggers, heat maps."""
