"""Small made-up reviews, whose words tell their class."""

import csv
import random
from pathlib import Path

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
