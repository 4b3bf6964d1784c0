"""Records of losses without a training."""


def settle(record):
    """Merge and judge what a record has collected, as on a single rank."""
    record.take([record.news()])
    record.judge()
