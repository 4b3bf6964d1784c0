"""What the package offers without a word of its sub-packages."""

import subprocess
import sys

import pytest

import torchvitals
from torchvitals import callbacks, datamodules, lightning_modules

PACKAGES = (callbacks, lightning_modules, datamodules)
CLASSES = [(package, name) for package in PACKAGES for name in package.__all__ if name[0].isupper()]


@pytest.mark.parametrize(("package", "name"), CLASSES, ids=lambda part: str(part).split("'")[-1])
def test_every_class_is_found_in_short(package, name):
    assert getattr(torchvitals, name) is getattr(package, name)


def test_no_two_classes_have_one_name():
    assert len({name for _, name in CLASSES}) == len(CLASSES) > 20


@pytest.mark.parametrize("name", ["Doctor", "reinitialize", "__path2__", ""])
def test_what_is_no_class_of_theirs_is_unknown(name):
    with pytest.raises(AttributeError, match=f"'torchvitals' has no attribute '{name}'"):
        getattr(torchvitals, name)


def test_nothing_is_imported_before_it_is_needed():
    code = "import sys, torchvitals; hasattr(torchvitals, 'x'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
