"""Images augmented a second by one core: torchvision, albumentations, kornia and this package.

The job is flip, rotation by up to 15 degrees (bilinear), brightness, contrast and saturation by up
to 0.2, and normalisation; at the end, crop and flip alone. Each candidate starts from the format
that suits it best, prepared beforehand, and ends with a normalised batch in float32. All in one
process and one thread, the candidates taking turns; the least time of each counts.

Needs albumentations and kornia.

    python benchmarks/augment.py [--rounds 15] [--device cpu]
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import albumentations
import cv2
import kornia
import kornia.augmentation as korn
import torch
import torchvision
from albumentations.pytorch import ToTensorV2
from timing import be_quiet, machine, now
from torch import Tensor
from torchvision.transforms import v2

from torchvitals.datamodules import BatchAugment

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
DEGREES, COLOR, PADDING = 15, 0.2, 4
OURS = {
    "rotation": DEGREES,
    "brightness": COLOR,
    "contrast": COLOR,
    "saturation": COLOR,
    "horizontal_flip": 0.5,
}
CROP = {"random_crop": PADDING, "horizontal_flip": 0.5}
SIZES = {32: 512, 224: 32}

Run = Callable[[], Any]


def torchvision_job() -> v2.Compose:
    return v2.Compose(
        [
            v2.RandomHorizontalFlip(),
            v2.RandomAffine(DEGREES, interpolation=v2.InterpolationMode.BILINEAR),
            v2.ColorJitter(COLOR, COLOR, COLOR),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )


def albumentations_job() -> albumentations.Compose:
    factors = (1 - COLOR, 1 + COLOR)
    return albumentations.Compose(
        [
            albumentations.HorizontalFlip(p=0.5),
            albumentations.Affine(rotate=(-DEGREES, DEGREES), p=1),
            albumentations.ColorJitter(
                brightness=factors, contrast=factors, saturation=factors, hue=(0, 0), p=1
            ),
            albumentations.Normalize(MEAN, STD),
            ToTensorV2(),
        ]
    )


def kornia_job(device: str) -> torch.nn.Module:
    job = korn.AugmentationSequential(
        korn.RandomHorizontalFlip(p=0.5),
        korn.RandomAffine(DEGREES, p=1.0),
        korn.ColorJitter(COLOR, COLOR, COLOR, p=1.0),
        korn.Normalize(MEAN, STD),
    ).to(device)
    return torch.compile(job) if device == "cuda" else job


def whole_job(images: Tensor, device: str) -> dict[str, Run]:
    floats = images / 255
    arrays = list(images.permute(0, 2, 3, 1).contiguous().cpu().numpy())
    by_torchvision, by_albumentations = torchvision_job(), albumentations_job()
    by_kornia = kornia_job(device)
    fused = BatchAugment(OURS, mean=MEAN, std=STD).to(device)
    clamped = BatchAugment(OURS, clamp=True, mean=MEAN, std=STD).to(device)
    return {
        "torchvision v2, per sample": lambda: torch.stack([by_torchvision(i) for i in images]),
        "torchvision v2, on the batch (one draw for all)": lambda: by_torchvision(images),
        "albumentations, per sample": lambda: torch.stack(
            [by_albumentations(image=array)["image"] for array in arrays]
        ),
        "kornia": lambda: by_kornia(floats),
        "BatchAugment": lambda: fused(floats),
        "BatchAugment, from uint8": lambda: fused(images),
        "BatchAugment, clamp=True": lambda: clamped(floats),
        "BatchAugment, clamp=True, from uint8": lambda: clamped(images),
    }


def crop_and_flip(images: Tensor, device: str) -> dict[str, Run]:
    floats, side = images / 255, images.shape[-1]
    by_torchvision = v2.Compose([v2.RandomCrop(side, padding=PADDING), v2.RandomHorizontalFlip()])
    by_kornia = korn.AugmentationSequential(
        korn.RandomCrop((side, side), padding=PADDING), korn.RandomHorizontalFlip(p=0.5)
    ).to(device)
    ours = BatchAugment(CROP).to(device)
    return {
        "crop + flip: torchvision v2, per sample": lambda: torch.stack(
            [by_torchvision(i) for i in images]
        ),
        "crop + flip: kornia": lambda: by_kornia(floats),
        "crop + flip: BatchAugment": lambda: ours(floats),
        "crop + flip: BatchAugment, from uint8": lambda: ours(images),
    }


def measure(side: int, batch: int, rounds: int, device: str) -> list[str]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (batch, 3, side, side), dtype=torch.uint8, generator=generator)
    images = images.to(device)
    candidates = whole_job(images, device) | crop_and_flip(images, device)
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(rounds + 2):
        for name, run in candidates.items():
            start = now(device)
            run()
            if turn > 1:  # the first two warm up
                times[name].append(now(device) - start)
    lines = [f"{side}x{side}, batch {batch}, {rounds} rounds"]
    speed = {name: batch / min(found) for name, found in times.items()}
    for name, images_per_second in speed.items():
        peer = "crop + flip: kornia" if name.startswith("crop") else "kornia"
        ratio = images_per_second / speed[peer]
        lines.append(f"  {name:48} {images_per_second:9,.0f} images/s  {ratio:6.2f} x kornia")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments = parser.parse_args()
    be_quiet()
    cv2.setNumThreads(1)
    lines = [
        machine(arguments.device),
        f"torchvision {torchvision.__version__}, albumentations {albumentations.__version__}, "
        f"kornia {kornia.__version__}",
    ]
    for side, batch in SIZES.items():
        lines += measure(side, batch, arguments.rounds, arguments.device)
    text = "\n".join(lines)
    print(text)
    results = Path(__file__).with_name("results")
    (results / f"augment_{arguments.device}.txt").write_text(text + "\n")


if __name__ == "__main__":
    main()
