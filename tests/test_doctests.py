import doctest
import importlib
import pkgutil

import pytest

import torchvitals

MODULES = [
    module.name
    for module in pkgutil.walk_packages(torchvitals.__path__, "torchvitals.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_some_examples_were_found():
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = sum(
        bool(test.examples)
        for name in MODULES
        for test in finder.find(importlib.import_module(name))
    )
    assert found >= 9
