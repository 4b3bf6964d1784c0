"""Build the wheel and check that it holds every source file of the folders and nothing else."""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {
    "torchvitals": "src/torchvitals",
    "torchvitals/functional": "functional",
    "torchvitals/callbacks": "callbacks",
    "torchvitals/datamodules": "datamodules",
    "torchvitals/lightning_modules": "lightning_modules",
}


def expected_files() -> set[str]:
    """Path inside the wheel of every file of the package's folders."""
    return {
        f"{target}/{path.relative_to(ROOT / folder).as_posix()}"
        for target, folder in FOLDERS.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def wheel_files() -> set[str]:
    """Path of every file in a freshly built wheel, its metadata aside."""
    # setuptools would take files that no longer exist from an earlier build.
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, "."]
        subprocess.run(command, cwd=ROOT, check=True)
        (wheel,) = Path(folder).glob("*.whl")
        names = zipfile.ZipFile(wheel).namelist()
    return {name for name in names if ".dist-info/" not in name}


if __name__ == "__main__":
    expected, packed = expected_files(), wheel_files()
    missing, extra = expected - packed, packed - expected
    if missing or extra:
        sys.exit(f"Wheel lacks {sorted(missing)} and holds besides {sorted(extra)}")
    print("The wheel holds every file of the folders and nothing else.")
