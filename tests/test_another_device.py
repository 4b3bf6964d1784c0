"""What must hold on any accelerator, on a device of its own that computes on the host.

Each file of checks runs in a process of its own: the device stays registered in it.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

FOLDER = Path(__file__).with_name("another_device")
CAN_BUILD = shutil.which("c++") and Path(sysconfig.get_path("include"), "Python.h").exists()


@pytest.mark.skipif(not CAN_BUILD, reason="needs a C++ compiler and the headers of Python")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("checks", sorted(FOLDER.glob("check_*.py")), ids=lambda path: path.stem)
def test_on_another_device(checks):
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-o", "python_files=check_*.py",
        "-o", f"pythonpath={FOLDER.parent} {FOLDER}", str(checks),
    ]  # fmt: skip
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path}  # for ninja, which is installed beside Python
    done = subprocess.run(
        command, cwd=FOLDER.parents[1], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
