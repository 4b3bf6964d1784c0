import logging

import pytest
import torch


class Notes(logging.Handler):
    """What was logged."""

    def __init__(self):
        super().__init__()
        self.texts = []

    def emit(self, record):
        self.texts.append(record.getMessage())


@pytest.fixture(autouse=True)
def told_in_the_log():
    """No monitor fails unnoticed: what warnings that are errors leave to the log fails a test."""
    logger, notes = logging.getLogger("torchvitals.callbacks.monitoring.guard"), Notes()
    logger.addHandler(notes)
    yield notes.texts
    logger.removeHandler(notes)
    assert notes.texts == []


def pytest_collection_modifyitems(items):
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
