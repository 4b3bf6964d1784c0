"""Where figures go: records, files, loggers, heat maps."""
