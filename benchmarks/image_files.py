"""What it costs to read a folder of photographs, beside torchvision's own way.

Both decode the same JPEG files to the same size in one process and one thread, taking turns; the
figure is the least process time of several passes.

    python benchmarks/image_files.py
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy
import PIL
import torch
import torchvision
from PIL import Image
from timing import be_quiet, machine, now
from torchvision.datasets import ImageFolder
from torchvision.transforms import CenterCrop, Compose, PILToTensor, Resize

from torchvitals.datamodules.image_sets.folders import read_folder
from torchvitals.datamodules.image_sets.image_files import ImageFiles

FILES, PASSES = 8, 5
SOURCES = ((256, 256), (500, 375), (1600, 1200), (4000, 3000))
TARGETS = (64, 224)


def write_photographs(folder: Path, size: tuple[int, int]) -> None:
    """Smooth noise, which is as hard to decode as a photograph is."""
    draw = numpy.random.default_rng(0)
    (folder / "only").mkdir()
    for place in range(FILES):
        coarse = draw.integers(0, 256, (size[1] // 8, size[0] // 8, 3)).astype(numpy.uint8)
        image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
        image.save(folder / "only" / f"{place}.jpg", quality=90)


def seconds(work: Callable[[], object]) -> float:
    """Process time of one pass."""
    start = now("cpu")
    work()
    return now("cpu") - start


def resized_at_once(images: ImageFiles) -> torch.Tensor:
    """The same cut of the whole image in one step, without a shortcut."""
    height, width = images.shape[1:]
    found = []
    for place in range(len(images)):
        image = Image.open(images.path(place)).convert("RGB")
        box = images.decoder.box(*image.size)
        image = image.resize((width, height), Image.Resampling.BILINEAR, box=box)
        found.append(torch.from_numpy(numpy.array(image)).permute(2, 0, 1))
    return torch.stack(found)


def compare(folder: Path, target: int) -> tuple[float, float, float]:
    """Milliseconds an image, torchvision's and ours, and what the shortcuts change of a pixel."""
    steps = Compose([Resize(target), CenterCrop(target), PILToTensor()])
    theirs = ImageFolder(str(folder), transform=steps)
    ours = cast(ImageFiles, read_folder(folder, image_size=(target, target)).images)
    everything = torch.arange(FILES)
    difference = ours.take(everything).int() - resized_at_once(ours).int()
    times: dict[str, list[float]] = {"theirs": [], "ours": []}
    for _ in range(PASSES):
        times["theirs"].append(seconds(lambda: [x for x, _ in theirs]))
        times["ours"].append(seconds(lambda: ours.take(everything)))
    least = {name: min(found) / FILES * 1e3 for name, found in times.items()}
    return least["theirs"], least["ours"], difference.abs().float().mean().item()


def main() -> None:
    be_quiet()
    lines = [f"{machine('cpu')}, torchvision {torchvision.__version__}, Pillow {PIL.__version__}"]
    lines.append(
        "JPEG files to squares, ms an image; what our shortcuts change, grey levels on average"
    )
    for source in SOURCES:
        with tempfile.TemporaryDirectory() as name:
            write_photographs(Path(name), source)
            for target in TARGETS:
                theirs, ours, difference = compare(Path(name), target)
                lines.append(
                    f"  {source[0]:4}x{source[1]:<4} to {target:3}: torchvision {theirs:7.2f}, "
                    f"ours {ours:7.2f}, ratio {theirs / ours:5.2f}, change {difference:4.2f}"
                )
    text = "\n".join(lines)
    print(text)
    (Path(__file__).with_name("results") / "image_files_cpu.txt").write_text(text + "\n")


if __name__ == "__main__":
    main()
