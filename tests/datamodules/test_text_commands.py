"""All commands on texts, from a YAML file."""

import sys

import pytest
import torch
from helpers.reviews import TELLING, reviews, write_reviews
from helpers.training import run

CONFIG = """
seed_everything: 1
trainer:
  max_epochs: 8
  accelerator: cpu
  logger: false
  enable_progress_bar: false
  enable_model_summary: false
  default_root_dir: runs
  callbacks:
    - class_path: lightning.pytorch.callbacks.ModelCheckpoint
      init_args: {dirpath: runs, filename: last}
    - class_path: torchvitals.callbacks.GradientNormMonitor
model:
  class_path: torchvitals.lightning_modules.TextClassifier
  init_args: {num_classes: 2, buckets: 2000, embedding_dim: 16, lr: 0.03}
data:
  class_path: torchvitals.datamodules.TextDataModule
  init_args:
    data: train.csv
    test_data: test.csv
    predict_data: new.csv
    encoding: vocabulary
    augment: {synonym_replacement: 0.2, random_deletion: 0.1}
    batch_size: 16
"""


@pytest.mark.timeout(280)
def test_fit_validate_test_and_predict_from_a_file(tmp_path):
    write_reviews(tmp_path / "train.csv", 120)
    write_reviews(tmp_path / "test.csv", 40, seed=1)
    write_reviews(tmp_path / "new.csv", 10, seed=2)
    (tmp_path / "texts.yaml").write_text(CONFIG)
    command = [sys.executable, "-m", "torchvitals"]
    for seam in ("fit", "validate", "test", "predict"):
        rest = [] if seam == "fit" else ["--ckpt_path", "runs/last.ckpt"]
        printed = run([*command, seam, "--config", "texts.yaml", *rest], tmp_path)
        if seam == "test":
            row = next(line for line in printed.splitlines() if "test_accuracy" in line)
            assert float(row.split()[-2]) > 0.9
    # The last one printed was by `predict`.
    assert "Predictions: runs/predictions.pt, shape (10, 2)" in printed
    predictions = torch.load(tmp_path / "runs/predictions.pt", weights_only=True)
    _, labels = reviews(10, seed=2)
    right = [
        sorted(TELLING)[row] == label
        for row, label in zip(predictions.argmax(1), labels, strict=True)
    ]
    assert sum(right) >= 9
    state = torch.load(tmp_path / "runs/last.ckpt", weights_only=True)["TextDataModule"]["prepared"]
    assert state["class_names"] == ["con", "pro"]
    assert "film" in state["words"]


@pytest.mark.timeout(280)
def test_a_wrong_column_is_named_with_its_file(tmp_path):
    (tmp_path / "train.csv").write_text("texts,label\na,1\n")
    (tmp_path / "texts.yaml").write_text(CONFIG)
    with pytest.raises(AssertionError, match=r"header of train.csv.*Did you mean 'texts'"):
        run([sys.executable, "-m", "torchvitals", "fit", "--config", "texts.yaml"], tmp_path)
