import os
import sys
from itertools import product
from pathlib import Path

import pytest
import torch
from helpers.loading import ItemsDataModule, Recorder, Writer
from helpers.training import quiet_trainer, run
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from torchvitals.datamodules.loading import EpochSampler, Loaders

TESTS = Path(__file__).parents[2]


class SaveInterrupted(Callback):
    def __init__(self, path):
        self.path = path

    def on_exception(self, trainer, module, exception):
        trainer.save_checkpoint(self.path)


def fit(folder, ckpt_path=None, *, max_steps=-1, estimate=False, interrupt_at=-1, **settings):
    """What was trained on, by epoch, and the weight that came of it."""
    callbacks = [
        ModelCheckpoint(folder, filename="{step}", every_n_train_steps=1, save_top_k=-1),
        SaveInterrupted(folder / "interrupted.ckpt"),
    ]
    trainer = quiet_trainer(
        max_epochs=3, max_steps=max_steps, callbacks=callbacks, enable_checkpointing=True
    )
    model = Recorder(estimate=estimate, interrupt_at=interrupt_at)
    data = ItemsDataModule(45, 4, **settings)
    trainer.fit(model, datamodule=data, ckpt_path=ckpt_path)
    return model.trained, model.weight.item()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return fit(tmp_path_factory.mktemp("whole"))


# An epoch has 11 steps.
@pytest.mark.parametrize(
    ("step", "estimate", "workers"),
    [
        (1, False, 0),
        (5, True, 0),
        (11, False, 0),
        (11, True, 2),
        (12, True, 0),
        (25, False, 2),
        (25, True, 2),
        (32, True, 0),
        (5, True, "resident"),
    ],
)
def test_a_run_stopped_in_mid_epoch_goes_on_with_exactly_the_rest(
    step, estimate, workers, whole, tmp_path
):
    trained, weight = whole
    data = {"resident": True} if workers == "resident" else {"num_workers": workers}
    part, _ = fit(tmp_path, max_steps=step, estimate=estimate, **data)
    assert part == trained[:step]
    rest = fit(tmp_path, tmp_path / f"step={step}.ckpt", estimate=estimate, **data)
    assert rest == (trained[step:], weight)


@pytest.mark.parametrize(("step", "estimate"), [(0, False), (4, False), (4, True), (11, True)])
def test_the_batch_that_ctrl_c_wasted_is_trained_on_again(step, estimate, whole, tmp_path):
    trained, weight = whole
    with pytest.raises(SystemExit):
        fit(tmp_path, interrupt_at=step, estimate=estimate)
    saved = tmp_path / "interrupted.ckpt"
    assert torch.load(saved, weights_only=True)["global_step"] == step
    assert fit(tmp_path, saved, estimate=estimate) == (trained[step:], weight)


def test_a_checkpoint_that_was_only_tested_does_not_move_the_next_fit(whole, tmp_path):
    stopped = quiet_trainer(max_steps=5)
    stopped.fit(Recorder(), datamodule=ItemsDataModule(45, 4))
    stopped.save_checkpoint(tmp_path / "step=5.ckpt")
    model, data = Recorder(), ItemsDataModule(45, 4)
    trainer = quiet_trainer(max_epochs=3)
    trainer.validate(model, datamodule=data, ckpt_path=tmp_path / "step=5.ckpt")
    assert model.validated == [list(range(i, min(i + 4, 45))) for i in range(0, 45, 4)]
    fresh = Recorder()
    trainer.fit(fresh, datamodule=data)
    assert fresh.trained == whole[0]


def test_a_limited_epoch_and_overfitting_batches_resume_and_repeat(tmp_path):
    limited = Recorder()
    quiet_trainer(max_epochs=2, limit_train_batches=3).fit(
        limited, datamodule=ItemsDataModule(45, 4)
    )
    for epoch in (0, 1):
        batches = EpochSampler(torch.arange(45), 4, shuffle=True, seed=1)
        batches.set_epoch(epoch)
        expected = [(epoch, batch.tolist()) for batch in batches][:3]
        assert limited.trained[3 * epoch : 3 * epoch + 3] == expected
    overfit = Recorder()
    with pytest.warns(UserWarning, match="turning off"):
        quiet_trainer(max_epochs=2, overfit_batches=2).fit(
            overfit, datamodule=ItemsDataModule(45, 4)
        )
    batches = [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert overfit.trained == [(epoch, batch) for epoch in (0, 1) for batch in batches]
    # The sanity check, then each epoch.
    assert overfit.validated == batches * 3


@pytest.mark.parametrize("workers", [0, 2])
def test_predictions_come_in_order_and_writers_are_told_the_indices(workers):
    writer = Writer()
    data = ItemsDataModule(10, 4, num_workers=workers)
    state = torch.get_rng_state()
    predictions = quiet_trainer(callbacks=[writer]).predict(Recorder(), datamodule=data)
    assert torch.cat(predictions).tolist() == list(range(10))
    assert writer.indices == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert torch.equal(torch.get_rng_state(), state)


def test_two_ranks_predict_every_item_once_in_as_many_batches(tmp_path):
    batch_sizes, counts = [1, 4], [2, 7, 8, 9, 16, 17]
    worker = Path(__file__).with_name("predict_on_ranks.py")
    numbers = [",".join(map(str, values)) for values in (batch_sizes, counts)]
    search = f"{TESTS}:{os.environ.get('PYTHONPATH', '')}"
    run([sys.executable, worker, tmp_path, *numbers], tmp_path, PYTHONPATH=search)
    ranks = [torch.load(tmp_path / f"predicted.{rank}", weights_only=True) for rank in (0, 1)]
    for count, batch_size in product(counts, batch_sizes):
        for rank, found in enumerate(ranks):
            batches, indices = found[count, batch_size]
            assert batches == indices
            assert [item for batch in batches for item in batch] == list(range(rank, count, 2))
            assert len(batches) == len(ranks[0][count, batch_size][0])
            # With batches of one, an item that is over makes a last batch of two.
            assert all(1 <= len(batch) <= max(batch_size, 2) for batch in batches)
            assert all(len(batch) == batch_size for batch in batches[:-2])
    for found in ranks:
        assert "at least one item for each of 2 ranks, but got 1. Use fewer" in found["error"]


@pytest.mark.parametrize(("estimate", "workers"), [("plainly", "resident"), ("estimate", 2)])
def test_two_ranks_resume_in_mid_epoch_with_disjoint_even_shards(estimate, workers, tmp_path):
    worker = Path(__file__).with_name("resume_on_ranks.py")
    command = [sys.executable, worker, 2, tmp_path, estimate, workers, "3,6,8"]
    run(command, tmp_path, PYTHONPATH=f"{TESTS}:{os.environ.get('PYTHONPATH', '')}")
    runs = [torch.load(tmp_path / f"runs.{rank}", weights_only=True) for rank in (0, 1)]
    for rank in runs:
        for step in (3, 6, 8):
            assert rank[f"part{step}"]["trained"] == rank["whole"]["trained"][:step]
            assert rank[f"resumed{step}"]["trained"] == rank["whole"]["trained"][step:]
            assert rank[f"resumed{step}"]["weight"] == rank["whole"]["weight"]
    steps = list(zip(*(rank["whole"]["trained"] for rank in runs), strict=True))
    # 22 items a rank in batches of 4, so the last batch has 2.
    assert len(steps) == 3 * 6
    for epoch in range(3):
        items = [i for step in steps[6 * epoch : 6 * epoch + 6] for _, batch in step for i in batch]
        assert len(items) == len(set(items)) == 44
    for rank in (0, 1):
        assert runs[rank]["validated"] == [
            list(range(rank, 45, 2))[i : i + 4] for i in range(0, 23, 4)
        ]


def test_wrong_numbers_of_workers_say_what_is_expected():
    with pytest.raises(ValueError, match="`num_workers` to be at least 0, but got -1"):
        Loaders(num_workers=-1)
