"""What scripts of benchmarks/ change of the process that tests share with them."""

import logging

import pytest
import torch

QUIET = ("lightning.pytorch", "lightning.fabric", "torchvitals.callbacks")


@pytest.fixture(autouse=True)
def one_thread_and_loggers_as_they_were():
    """Scripts may set what is the whole process's; other tests run in it, too."""
    threads = torch.get_num_threads()
    loggers = [logging.getLogger(name) for name in QUIET]
    levels = [logger.level for logger in loggers]
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
