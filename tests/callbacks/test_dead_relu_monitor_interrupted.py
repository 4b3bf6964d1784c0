import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from helpers.dead_units import Keep, Plain, Research, fit, loader, partly_dead
from helpers.training import quiet_trainer, run
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import DeadReLUMonitor

WORKER = Path(__file__).with_name("train_dead_units_on_ranks.py")


class Interrupted(RuntimeError):
    pass


def test_an_error_in_a_step_leaves_nothing_behind():
    class Breaking(Plain):
        def forward(self, x):
            if len(self.batches) == 2:
                self.act(x)
                raise Interrupted
            return super().forward(x)

    network, monitor = Breaking(), DeadReLUMonitor()
    with pytest.raises(Interrupted):
        fit(Research(network), loader(torch.randn(16, 6)), [monitor])
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())
    F.relu(torch.ones(2))
    assert monitor._watch._observer.drain() == []


class ResumableLoader(DataLoader):
    """Goes on, once, behind the batches that were done when it was saved."""

    done = skip = 0

    def __iter__(self):
        self.done, skip, self.skip = self.skip, self.skip, 0
        for batch in list(super().__iter__())[skip:]:
            self.done += 1
            yield batch

    def state_dict(self):
        return {"done": self.done}

    def load_state_dict(self, state_dict):
        self.skip = state_dict["done"] % len(self)


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")
@pytest.mark.parametrize("every", [None, 4])
@pytest.mark.parametrize("when", ["in an epoch", "after validation", "after an epoch"])
def test_a_resumed_run_says_what_an_uninterrupted_one_does(every, when, tmp_path):
    saving = {
        "in an epoch": {"every_n_train_steps": 7},
        "after validation": {"every_n_epochs": 1, "save_on_train_epoch_end": False},
        "after an epoch": {"every_n_epochs": 1, "save_on_train_epoch_end": True},
    }[when]
    samples = TensorDataset(torch.randn(60, 6), torch.arange(60) % 3)

    def run_one(ckpt_path=None):
        data = ResumableLoader(samples, batch_size=6)
        network, monitor = partly_dead(5), DeadReLUMonitor(every_n_steps=every)
        samples.tensors[0].copy_(torch.randn(60, 6))
        keep = Keep(monitor)
        saver = ModelCheckpoint(tmp_path, filename="{step}", save_top_k=-1, **saving)
        callbacks = [monitor, keep] if ckpt_path else [monitor, keep, saver]
        fit(
            Research(network, lr=3.0),
            data,
            callbacks,
            data,
            max_epochs=3,
            ckpt_path=ckpt_path,
            enable_checkpointing=ckpt_path is None,
        )
        state = {**monitor.state_dict(), "report": monitor._reporter.records["dead_relu"].history}
        return keep.said, state

    said, state = run_one()
    assert len({str(masks) for masks in said}) == 3
    path = tmp_path / ("step=7.ckpt" if when == "in an epoch" else "step=10.ckpt")
    torch.load(path, weights_only=True)
    said_again, state_again = run_one(path)
    assert said_again[-2:] == said[-2:]
    assert str(state_again) == str(state)


def test_a_second_fit_starts_afresh():
    monitor = DeadReLUMonitor()
    fit(Research(nn.Sequential(nn.Linear(5, 3), nn.ReLU())), loader(torch.randn(8, 5)), [monitor])
    network = nn.Sequential(nn.Linear(5, 4), nn.ReLU6(), nn.Linear(4, 3))
    fit(Research(network), loader(torch.randn(8, 5)), [monitor], max_epochs=1)
    assert {site: len(mask) for site, mask in monitor.dead_units.items()} == {"network.1": 4}
    assert monitor.births == {}


def test_a_second_fit_of_the_same_trainer_opens_its_window_where_it_begins():
    network, monitor = partly_dead(0), DeadReLUMonitor(every_n_steps=3)
    model, data = Research(network), loader(torch.randn(20, 6))
    trainer = fit(model, data, [monitor])
    trainer.fit_loop.max_epochs = 2
    network.batches.clear()
    trainer.fit(model, data)
    expected = network.dead(network.batches[:3])
    assert {s: mask.tolist() for s, mask in monitor.dead_units.items()} == expected


def test_barebones_says_that_nothing_is_logged_and_counts_all_the_same():
    monitor, network = DeadReLUMonitor(), Plain()
    trainer = quiet_trainer(
        barebones=True,
        callbacks=[monitor],
        max_epochs=1,
        logger=None,
        enable_checkpointing=None,
        enable_progress_bar=None,
        enable_model_summary=None,
        log_every_n_steps=None,
    )
    with pytest.warns(UserWarning, match="logs nothing under"):
        trainer.fit(Research(network), loader(torch.randn(16, 6)))
    assert {s: m.tolist() for s, m in monitor.dead_units.items()} == network.dead(network.batches)


def test_ranks_join_their_windows_and_switch_off_together(tmp_path):
    run([sys.executable, WORKER, tmp_path], tmp_path)
    for rank in (0, 1):
        result = torch.load(tmp_path / f"{rank}", weights_only=True)
        # Unit 0 is active on rank 0, unit 1 on rank 1, unit 2 on both, unit 3 on none.
        assert result["dead"] == [False, False, False, True]
        assert result["window"] == [True, True, True, False]
        # From the second epoch on the second site is of another width on rank 1.
        assert result["sites"][:2] == [["relu", "relu#2"], ["relu"]]
        assert result["failed"]
        assert result["steps"] == 9
