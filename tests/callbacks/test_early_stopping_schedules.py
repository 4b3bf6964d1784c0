"""Schedules that follow a metric are stepped as in a run that was not interrupted."""

from contextlib import nullcontext

import pytest
import torch
from helpers.accumulating import SavesAt
from helpers.accumulating import fit as regress
from helpers.scripted import batches
from helpers.training import quiet_trainer
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import Callback, Checkpoint, StochasticWeightAveraging
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR
from torch.utils.data import DataLoader

from torchvitals.callbacks import EarlyStopping

pytestmark = [
    pytest.mark.filterwarnings(
        "ignore:You're resuming from a checkpoint that ended before the epoch"
    ),
    pytest.mark.filterwarnings("ignore:ReduceLROnPlateau conditioned on metric val_loss which"),
]
BATCHES = 4
BY_EPOCH = {"monitor": "val_loss"}
BY_STEP = {"monitor": "train_loss", "interval": "step"}
HOOKS = ("on_train_batch_end", "on_validation_batch_end", "on_validation_end",
         "on_train_epoch_end", "on_train_epoch_start")  # fmt: skip
# Schedules, and arguments of the Trainer.
SETTINGS = {
    "by the epoch": ([BY_EPOCH], {}),
    "max_steps": ([BY_EPOCH], {"max_steps": 80, "max_epochs": None}),
    "by a mean over the epoch": ([{"monitor": "train_loss_epoch"}], {}),
    "by the epoch's end": ([{"monitor": "at_end"}], {}),
    "every other epoch": ([{**BY_EPOCH, "frequency": 2}], {}),
    "validated every other epoch": (
        [{**BY_EPOCH, "strict": False}], {"check_val_every_n_epoch": 2}
    ),
    "validated before the epoch's end": ([BY_EPOCH], {"val_check_interval": 0.75}),
    "several": ([BY_EPOCH, {**BY_STEP, "frequency": 3}, {"monitor": None}], {}),
    "by the step": ([BY_STEP], {"val_check_interval": 0.5}),
    "by the step, of validation": (
        [{**BY_STEP, "monitor": "val_loss", "strict": False}], {"val_check_interval": 0.5}
    ),
    "checked at the epoch's end": (
        [{**BY_EPOCH, "strict": False}],
        {"check_val_every_n_epoch": 2, "arguments": {"check_on_train_epoch_end": True}},
    ),
    "checked at the epoch's end, validated before": (
        [BY_EPOCH], {"val_check_interval": 0.75, "arguments": {"check_on_train_epoch_end": True}}
    ),
    "by the step, steps of 3 batches": ([BY_STEP], {"accumulate_grad_batches": 3}),
}  # fmt: skip
IN_MIDST = "by the step, steps of 3 batches"


class Follows(LightningModule):
    """Learns noise, another part of it in each batch; its rate follows metrics."""

    def __init__(self, schedules):
        super().__init__()
        self.schedules = schedules
        self.network = nn.Linear(8, 1, bias=False)
        nn.init.zeros_(self.network.weight)

    def loss(self, key):
        generator = torch.Generator().manual_seed(key)
        inputs = torch.randn(4, 8, generator=generator)
        targets = inputs[:, 0] + 2 * torch.randn(4, generator=generator)
        return nn.functional.mse_loss(self.network(inputs).squeeze(1), targets)

    def training_step(self, batch, batch_idx):
        loss = self.loss(self.current_epoch * BATCHES + batch_idx)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.loss(1000 + batch_idx))

    def on_train_epoch_end(self):
        self.log("at_end", self.network.weight.abs().sum())

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.2)

        def schedule(monitor):
            if monitor is None:
                return StepLR(optimizer, 1, 0.95)
            return ReduceLROnPlateau(optimizer, patience=0, factor=0.7)

        configurations = [
            {"scheduler": schedule(settings["monitor"]), **settings} for settings in self.schedules
        ]
        return [optimizer], configurations


class SavesAll(Callback):
    """Saves a checkpoint in each of the hooks."""

    def __init__(self, folder):
        self.folder, self.paths = folder, []
        for hook in HOOKS:
            setattr(self, hook, self.saves_in(hook))

    def saves_in(self, hook):
        def save(trainer, *_):
            path = self.folder / f"{len(self.paths):03} {hook} {trainer.global_step}.ckpt"
            trainer.save_checkpoint(path)
            self.paths.append(path)

        return save


class SavesAllBehind(SavesAll, Checkpoint):
    """Its hooks are behind those of early stopping."""


class Fails(Callback):
    """In a hook, or as the next batch is fetched, after so many steps; then it saves."""

    def __init__(self, folder, hook, step):
        self.folder, self.hook, self.step = folder, hook, step
        self.path = folder / f"{step}.ckpt"

    def setup(self, trainer, pl_module, stage):
        self.trainer = trainer
        if self.hook != "fetch":
            setattr(self, self.hook, self.fail)

    def fail(self, *_):
        if self.trainer.global_step == self.step and self.trainer.training:
            raise InterruptedError

    def on_exception(self, trainer, *_):
        trainer.save_checkpoint(self.path)


def fetched(fails):
    """Batches, before one of which it fails."""

    def collate(rows):
        if fails and fails.hook == "fetch":
            fails.fail()
        return torch.stack(rows)

    return DataLoader(torch.zeros(BATCHES, 1), collate_fn=collate)


def train(setting, callback=None, ckpt=None, more=(), **arguments):
    schedules, settings = SETTINGS[setting]
    settings = {**settings, **arguments}
    given = {"patience": 3, **settings.pop("arguments", {})}
    stopping = [EarlyStopping("val_loss", **given), *more]
    trainer = quiet_trainer(
        callbacks=[*([callback] if callback else []), *stopping], num_sanity_val_steps=0,
        **{"max_epochs": 14, "enable_checkpointing": isinstance(callback, Checkpoint), **settings},
    )  # fmt: skip
    model, fails = Follows(schedules), callback if isinstance(callback, Fails) else None
    with pytest.raises(InterruptedError) if fails else nullcontext():
        trainer.fit(model, fetched(fails), batches(2), ckpt_path=ckpt)
    return {
        "step": trainer.global_step,
        "values": [one.judge.first.values for one in stopping],
        "rate": trainer.optimizers[0].param_groups[0]["lr"],
        "schedules": [c.scheduler.state_dict() for c in trainer.lr_scheduler_configs],
    }


@pytest.mark.parametrize("saver", [SavesAll, SavesAllBehind])
@pytest.mark.parametrize("setting", [name for name in SETTINGS if name != IN_MIDST])
def test_resume_is_exact(setting, saver, tmp_path):
    saves = saver(tmp_path)
    whole = train(setting, saves)
    assert train(setting) == whole
    assert whole["rate"] < 0.2
    # The last leaves nothing to train. Of nine in an epoch, each comes up in another one.
    paths = saves.paths[:-1:4]
    assert [path.stem for path in paths if train(setting, ckpt=path) != whole] == []


@pytest.mark.parametrize(
    "setting",
    ["by the epoch", "max_steps", "by a mean over the epoch", "several", "by the step",
     "by the step, of validation", IN_MIDST],
)  # fmt: skip
def test_interrupted_by_an_exception_again_and_again(setting, tmp_path):
    """Also with another callback of the kind, which is the first to step what is due."""

    def more():
        return [EarlyStopping("val_loss", criterion="UP", patience=99)]

    whole, ckpt = train(setting, more=more()), None
    hooks = ("fetch", "on_train_batch_start", "on_before_backward", "on_train_epoch_end", "fetch",
             "on_train_batch_end", "on_train_epoch_end", "on_train_epoch_start")  # fmt: skip
    steps = (2, 3, 3, 4, 4, 6, 8, 8)
    for hook, step in zip(hooks, steps, strict=True):
        fails = Fails(tmp_path, hook, step)
        train(setting, fails, ckpt, more())
        ckpt = fails.path
        assert train(setting, ckpt=ckpt, more=more()) == whole, (hook, step)


def test_none_is_stepped_after_an_epoch_that_a_stop_cuts_short(tmp_path):
    setting = "validated before the epoch's end"
    saves = SavesAllBehind(tmp_path)
    whole = train(setting, saves)
    assert whole["step"] % BATCHES
    (at_stop,) = [p for p in saves.paths if p.stem.endswith(f"on_validation_end {whole['step']}")]
    assert train(setting, ckpt=at_stop) == whole


def test_a_release_with_other_loops_is_a_warning_and_no_error(monkeypatch, tmp_path):
    def changed(trainer):
        raise AttributeError("'_TrainingEpochLoop' object has no attribute 'scheduler_progress'")

    whole = train("by the epoch")
    name = "torchvitals.callbacks.stopping.resuming.plateau_schedules._stepped"
    monkeypatch.setattr(name, changed)
    with pytest.warns(UserWarning, match="This release of Lightning tracks its progress") as told:
        assert train("by the epoch") == whole
    assert len([w for w in told if "This release" in str(w.message)]) == 1


# What is mended here, without early stopping. A Lightning that has mended it itself fails this.


def test_lightning_steps_none_in_a_resumed_epoch(tmp_path):
    def stepped(callback=None, ckpt=None):
        trainer = quiet_trainer(max_epochs=2, callbacks=callback, num_sanity_val_steps=0)
        trainer.fit(Follows([BY_EPOCH]), batches(BATCHES), batches(2), ckpt_path=ckpt)
        return trainer.lr_scheduler_configs[0].scheduler.last_epoch

    saves = SavesAll(tmp_path)
    assert stepped(saves) == 2
    (path,) = [p for p in saves.paths if p.stem.endswith("on_train_batch_end 2")]
    assert stepped(ckpt=path) == 1


@pytest.mark.filterwarnings("ignore:EarlyStopping restores the weights of the best check")
@pytest.mark.parametrize("hook", ["on_train_batch_end", "on_train_epoch_start"])
@pytest.mark.parametrize("batch", [14, 16])
def test_the_rate_of_stochastic_weight_averaging(batch, hook, tmp_path):
    """From the second epoch of seven batches on; interrupted again in the epoch that is resumed."""

    def train(saves=None, ckpt=None):
        averaging = StochasticWeightAveraging(0.01, swa_epoch_start=2, annealing_epochs=2)
        return regress(saves, ckpt, more=[averaging], max_epochs=4, val_check_interval=1.0)

    first, second = tmp_path / "first.ckpt", tmp_path / "second.ckpt"
    train(SavesAt(first, hook if batch == 14 else "on_train_batch_end", batch))
    train(SavesAt(second, "on_train_batch_end", 18), first)
    found, whole = train(None, second), train()
    assert (found["step"], found["curve"]) == (whole["step"], whole["curve"])
    for name, weight in whole["weights"].items():
        assert torch.equal(found["weights"][name], weight), name
