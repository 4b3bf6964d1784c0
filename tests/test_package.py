"""What the package offers without a word of its sub-packages."""

import subprocess
import sys

import pytest

import torchvitals
from torchvitals import callbacks, datamodules, lightning_modules

PACKAGES = (callbacks, lightning_modules, datamodules)
NAMES = [(package, name) for package in PACKAGES for name in package.__all__]


@pytest.mark.parametrize(("package", "name"), NAMES, ids=lambda part: str(part).split("'")[-1])
def test_every_name_is_found_in_short(package, name):
    assert getattr(torchvitals, name) is getattr(package, name)


def test_no_name_is_given_twice():
    assert len({name for _, name in NAMES}) == len(NAMES) > 20


@pytest.mark.parametrize("name", ["Doctor", "doctor", "__path2__", ""])
def test_what_they_do_not_offer_is_unknown(name):
    with pytest.raises(AttributeError, match=f"'torchvitals' has no attribute '{name}'"):
        getattr(torchvitals, name)


def test_nothing_is_imported_before_it_is_needed():
    code = "import sys, torchvitals; hasattr(torchvitals, '_x'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
