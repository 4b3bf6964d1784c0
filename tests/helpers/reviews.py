"""Small made-up reviews, whose words tell their class."""

import csv
import random
from pathlib import Path

import torch
from lightning.pytorch import LightningModule

COMMON = ["the", "a", "film", "movie", "actor", "story", "plot", "of", "and", "this", "music"]
TELLING = {
    "con": ["bad", "awful", "boring", "dull", "poor", "weak", "terrible", "stupid"],
    "pro": ["good", "great", "superb", "lovely", "fine", "strong", "brilliant", "clever"],
}


def reviews(count: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """Texts of 3 to 20 words, all different, of either class in turn."""
    source = random.Random(seed)
    texts, labels = [], []
    for number in range(count):
        label = sorted(TELLING)[number % 2]
        words = [*source.choices(TELLING[label], k=2), *source.choices(COMMON, k=1 + number % 18)]
        source.shuffle(words)
        texts.append(f"{' '.join(words)}, no. {number}.")
        labels.append(label)
    return texts, labels


def write_reviews(path: Path, count: int, seed: int = 0) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows(zip(*reviews(count, seed), strict=True))
    return path


class Recorder(LightningModule):
    """Records the batches of each stage, and stops training at a step if told."""

    def __init__(self, stop_at=-1):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.stop_at = stop_at
        self.seen = {"train": [], "val": [], "test": []}

    def training_step(self, batch, batch_idx):
        if self.global_step == self.stop_at:
            raise KeyboardInterrupt
        self.seen["train"].append((self.current_epoch, batch[0].tolist(), batch[1].tolist()))
        return self.weight * batch[1].float().mean()

    def validation_step(self, batch, batch_idx):
        self.seen["val"].append(batch[0].tolist())

    def test_step(self, batch, batch_idx):
        self.seen["test"].append(batch[0].tolist())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)
