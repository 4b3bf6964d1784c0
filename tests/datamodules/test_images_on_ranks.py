import os
import sys
from pathlib import Path

import torch
from helpers.images import write_images
from helpers.training import run

SCRIPT = Path(__file__).with_name("train_images_on_ranks.py")


def test_two_ranks_share_the_images_of_one(tmp_path):
    images = tmp_path / "images"
    write_images(images, {"cat": 31, "dog": 22})
    search = os.pathsep.join([str(SCRIPT.parents[1]), os.environ.get("PYTHONPATH", "")])
    for ranks in (1, 2):
        run([sys.executable, SCRIPT, ranks, images, tmp_path], tmp_path, PYTHONPATH=search)
    alone, *both = (torch.load(tmp_path / name) for name in ("1.0", "2.0", "2.1"))
    for one in both:
        assert one["splits"] == alone["splits"]
        assert torch.equal(one["mean"], alone["mean"])
        assert len(one["batches"]["train"]) == len(both[0]["batches"]["train"])
    steps = len(both[0]["batches"]["train"]) // 2
    for step in range(steps - 1):  # the last batch of an epoch may be cut short
        expected, _ = alone["batches"]["train"][step]
        x = torch.stack([one["batches"]["train"][step][0] for one in both], 1).flatten(0, 1)
        torch.testing.assert_close(x, expected)
    for stage in ("val", "test", "predict"):
        assert len({len(one["batches"][stage]) for one in both}) == 1
        found = torch.cat([x for one in both for x, _ in one["batches"][stage]])
        expected = torch.cat([x for x, _ in alone["batches"][stage]])
        assert len(found) == len(expected)
        sums = [x.flatten(1).sum(1).sort().values for x in (found, expected)]
        torch.testing.assert_close(*sums)
