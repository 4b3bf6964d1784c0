"""A checkup is right, and leaves everything as it was."""

import copy
import functools
import random
import signal
import types

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.game import Game
from helpers.training import quiet_trainer
from lightning.pytorch import Callback, LightningDataModule, LightningModule
from lightning.pytorch.callbacks import (
    EarlyStopping,
    GradientAccumulationScheduler,
    ModelCheckpoint,
)
from lightning.pytorch.cli import LightningCLI
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset, RandomSampler, Subset, TensorDataset
from torchvision import transforms
from torchvision.transforms import v2

from torchvitals.callbacks import (
    Checkup,
    Diagnosis,
    Problem,
    Remedy,
    TrainingDoctor,
    checkup,
)

LOSSES: list[float] = []  # What the last trainings had, in order.


def digits():
    pixels, labels = load_digits(return_X_y=True)
    return TensorDataset(torch.from_numpy(pixels).float() / 16, torch.from_numpy(labels))


def loader(**options):
    return DataLoader(digits(), 64, shuffle=True, **options)


def network():
    return nn.Sequential(
        nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 10)
    )


class Research(LightningModule):
    """Somebody's classifier of the digits, which draws from every global generator."""

    def __init__(self, lr=1e-3, network=network, scale=1.0):
        super().__init__()
        self.network, self.lr, self.scale = network(), lr, scale

    def training_step(self, batch, batch_idx):
        x, y = batch
        random.random()
        noise = float(np.random.normal()) * 1e-3
        loss = F.cross_entropy(self.network(x * self.scale + noise), y)
        self.log("train_loss", loss)
        LOSSES.append(float(loss.detach()))
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_loss", F.cross_entropy(self.network(x * self.scale), y))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def examine(model, data=None, **options):
    LOSSES.clear()
    settings = {"steps": 60, "accelerator": "cpu", "max_epochs": 10, **options}
    return checkup(model, data or loader(), **settings)


class Picture:
    """All that must be the same before and after."""

    def __init__(self, model, optimizers=(), generators=()):
        self.values = {
            "weights": copy.deepcopy(model.state_dict()),
            "gradients": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
            "flags": [m.training for m in model.modules()],
            "trained": [p.requires_grad for p in model.parameters()],
            "hooks": [
                [dict(h) for h in (m._forward_hooks, m._forward_pre_hooks, m._backward_hooks)]
                for m in model.modules()
            ],
            "identities": [id(p) for p in model.parameters()],
            "names": sorted(vars(model)),
            "optimizers": copy.deepcopy([o.state_dict() for o in optimizers]),
            "random": random.getstate(),
            "numpy": np.random.get_state(),
            "torch": torch.get_rng_state(),
            "generators": [g.get_state() for g in generators],
            "switches": (
                torch.backends.cudnn.benchmark,
                torch.get_deterministic_debug_mode(),
                torch.is_grad_enabled(),
                torch.get_default_dtype(),
                signal.getsignal(signal.SIGINT),
            ),
        }


def assert_same(before, after):
    assert before.values.keys() == after.values.keys()
    for name, value in before.values.items():
        torch.testing.assert_close(
            flat(value), flat(after.values[name]), rtol=0, atol=0, msg=f"{name} changed"
        )


def flat(value):
    """Values in an order, those that are no tensors as text."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, np.ndarray):
        return [torch.from_numpy(value.astype(np.int64))]
    if isinstance(value, dict):
        value = [part for pair in value.items() for part in pair]
    if isinstance(value, list | tuple):
        return [part for element in value for part in flat(element)]
    return [torch.tensor(list(repr(value).encode()))]


def fitted(model):
    """Optimisers of a module that belongs to a Trainer and has gradients and moments."""
    trainer = quiet_trainer(max_steps=3)
    trainer.fit(model, loader())
    model.network(torch.randn(4, 64)).sum().backward()
    return trainer.optimizers


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert list(tmp_path.iterdir()) == []


class Break(Callback):
    """Raises in the middle."""

    def __init__(self, error):
        self.error = error

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step == 10:
            raise self.error


@pytest.mark.parametrize("error", [None, ValueError("mine"), KeyboardInterrupt()])
def test_everything_is_as_before(error):
    model = Research()
    optimizers = fitted(model)
    trainer = model.trainer
    mine = torch.Generator().manual_seed(4)
    data = DataLoader(digits(), 64, sampler=RandomSampler(digits(), generator=mine))
    checked = DataLoader(digits(), 600, generator=mine)
    before = Picture(model, optimizers, [mine])
    callbacks = [Break(error)] if error else []
    if error:
        with pytest.raises(type(error), match="mine" if error.args else None):
            examine(model, data, val_dataloaders=checked, callbacks=callbacks, deterministic="warn")
    else:
        examine(model, data, val_dataloaders=checked, benchmark=True)
    assert_same(before, Picture(model, optimizers, [mine]))
    assert model.trainer is trainer
    assert len(LOSSES) == (10 if error else 60)


def test_the_picture_would_show_a_change():
    model = Research()
    optimizers = fitted(model)
    before = Picture(model, optimizers)
    torch.rand(1)
    with pytest.raises(AssertionError, match="torch changed"):
        assert_same(before, Picture(model, optimizers))
    before = Picture(model, optimizers)
    optimizers[0].step()
    with pytest.raises(AssertionError, match="weights changed"):
        assert_same(before, Picture(model, optimizers))


def test_it_takes_the_first_steps_of_the_real_training():
    def prepared():
        torch.manual_seed(1)
        random.seed(1)
        np.random.seed(1)
        return Research()

    options = {"gradient_clip_val": 0.1, "accumulate_grad_batches": 2, "precision": "bf16-mixed"}
    examine(prepared(), steps=20, **options)
    tried = LOSSES.copy()
    LOSSES.clear()
    quiet_trainer(max_epochs=10, max_steps=20, **options).fit(prepared(), loader())
    assert len(tried) == 39  # The last of an epoch's 29 batches is a step of its own.
    assert tried == LOSSES


def seeded(make):
    torch.manual_seed(0)
    return make()


SICK = {
    "steps too large": (lambda: Research(lr=10.0, network=plain), Problem.LEARNING_RATE_TOO_HIGH),
    "pixels to 255": (
        lambda: Research(network=plain, scale=255 * 16.0), Problem.UNNORMALIZED_INPUT,
    ),
}  # fmt: skip


def plain():
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def small():
    return nn.Sequential(nn.Linear(10, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))


def test_a_healthy_one_is_told_so(capsys, caplog):
    found = examine(seeded(Research), steps=120, val_dataloaders=DataLoader(digits(), 600))
    assert found.healthy
    assert found.steps == 120
    assert str(found).startswith("Healthy: no warning in 120 steps.")
    assert capsys.readouterr().out == ""
    assert caplog.records == []


def test_one_that_learns_a_few_batches_by_heart_as_it_is_told_to_is_healthy():
    # At so high a rate validation is soon missed by more and more.
    model = seeded(lambda: Research(lr=0.1, network=small))
    inputs = torch.randn(512, 10, generator=torch.Generator().manual_seed(0))
    data = TensorDataset(inputs, (inputs[:, 0] > 0).long())
    options = {"val_dataloaders": DataLoader(data, 64), "overfit_batches": 2, "max_epochs": 100}
    found = examine(model, DataLoader(data, 16), **options)
    assert LOSSES[-1] < 0.01
    assert not found.diagnoses


@pytest.mark.parametrize(("make", "problem"), SICK.values(), ids=SICK.keys())
def test_a_sick_one_is_told_what_it_is(make, problem, capsys, caplog, tmp_path):
    found = examine(seeded(make), steps=120, report=tmp_path / "page.html")
    assert not found.healthy
    assert problem in [diagnosis.problem for diagnosis in found.diagnoses]
    assert found.diagnoses[0].evidence in str(found)
    assert capsys.readouterr().out == ""
    assert caplog.records == []
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert f'<header class="verdict {found.diagnoses[0].severity}">' in page
    (tmp_path / "page.html").unlink()


def test_the_verdict_counts_warnings_and_shows_brackets_as_they_are():
    from rich.console import Console

    remedy = Remedy("Change it.", "net[red]=1")
    warning = Diagnosis(Problem.DEAD_RELU, "warning", "net[0]", 5, 0, "All.", {}, (remedy,))
    info = Diagnosis(Problem.OVERFITTING, "info", None, 5, 0, "A bit.")
    assert Checkup((info,), 9).healthy
    assert Checkup((warning, info), 1).verdict == "Sick: 1 finding in 1 step."
    assert Checkup((warning, warning), 9).verdict == "Sick: 2 findings in 9 steps."
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(Checkup((warning, info), 9))
    shown = console.export_text()
    assert "net[red]=1" in shown
    assert "net[0]" in shown
    assert "dead_relu in net[0], since step 5. All. Change it." in str(Checkup((warning,), 9))


@pytest.mark.parametrize(
    ("steps", "plan", "early"),
    [(1, {}, True), (29, {}, True), (30, {}, False), (60, {"max_epochs": 50}, True)],
)
def test_too_few_steps_give_no_verdict(steps, plan, early, tmp_path):
    found = examine(seeded(Research), steps=steps, report=tmp_path / "page.html", **plan)
    assert (found.early, found.healthy, found.sick) == (early, not early, False)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert ("it is too early for a verdict." in page) is early
    count = "1 step" if steps == 1 else f"{steps} steps"
    assert found.verdict == (
        f"Nothing stands out in {count}: it is too early for a verdict."
        if early
        else f"Healthy: no warning in {count}."
    )
    (tmp_path / "page.html").unlink()


def test_a_warning_is_one_however_early():
    warning = Diagnosis(Problem.DEAD_RELU, "warning", None, 5, 0, "All.")
    found = Checkup((warning,), 9, early=True)
    assert (found.sick, found.healthy) == (True, False)
    assert found.verdict == "Sick: 1 finding in 9 steps."


seen: list[float] = []


class Planned(Research):
    """Its schedule is of the whole training."""

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=1.0)
        seen.append(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1e-2, 1.0, seen[-1])
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


@pytest.mark.parametrize(
    ("plan", "steps"),
    [
        ({"max_epochs": 7}, 7 * 29),
        ({"max_epochs": -1, "max_steps": 5000}, 5000),
        ({"max_epochs": None, "max_steps": -1}, 12),
        ({"max_epochs": 7, "accumulate_grad_batches": 4}, 7 * 8),
    ],
)
def test_the_schedule_is_that_of_the_plan(plan, steps):
    seen.clear()
    assert examine(Planned(), steps=12, **plan).steps == 12
    assert seen == [steps]


def test_a_plan_that_is_shorter_is_not_exceeded():
    assert examine(Research(), steps=300, max_epochs=1).steps == 29


class Own(LightningDataModule):
    """Sets attributes in its setup, and draws from a generator of its own."""

    def __init__(self):
        super().__init__()
        self.generator = torch.Generator().manual_seed(3)
        self.calls = []

    def prepare_data(self):
        self.calls.append("prepare")

    def setup(self, stage):
        self.train = digits()

    def train_dataloader(self):
        return DataLoader(self.train, 64, shuffle=True, generator=self.generator)

    def val_dataloader(self):
        return DataLoader(self.train, 64)


def test_a_data_module_stays_as_it_is():
    data = Own()
    before, state = sorted(vars(data)), data.generator.get_state()
    assert examine(Research(), data).steps == 60
    assert sorted(vars(data)) == before
    assert data.trainer is None
    assert torch.equal(data.generator.get_state(), state)
    assert data.calls == ["prepare"]


class Noisy(nn.Module):
    """A transform of one's own, which draws from a generator of its own."""

    def __init__(self):
        super().__init__()
        self.generator = torch.Generator().manual_seed(3)

    def forward(self, x):
        return x + 0.1 * torch.randn(x.shape, generator=self.generator)


class Transformed(Dataset):
    def __init__(self, transform):
        self.data, self.transform = digits(), transform

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        x, y = self.data[index]
        return self.transform(x), y


@pytest.mark.parametrize("compose", [lambda parts: parts[0], transforms.Compose, v2.Compose])
def test_the_generator_of_a_transform_stays_as_it_is(compose):
    noisy = Noisy()
    state = noisy.generator.get_state()
    data = DataLoader(Subset(Transformed(compose([noisy])), range(320)), 64)
    examine(Research(), data, steps=5)
    assert torch.equal(noisy.generator.get_state(), state)


def test_workers_that_stay_are_not_those_of_the_loader():
    data = loader(num_workers=1, persistent_workers=True, generator=torch.Generator())
    state = data.generator.get_state()
    examine(Research(), {"batch": data}["batch"], steps=5)
    assert data._iterator is None
    assert torch.equal(data.generator.get_state(), state)


class Bundle(Research):
    def training_step(self, batch, batch_idx):
        return super().training_step(batch["a"], batch_idx) + 0 * batch["b"][0].sum()


def test_loaders_in_a_dictionary():
    assert examine(Bundle(), {"a": loader(), "b": loader()}, steps=5).steps == 5


class Loading(Research):
    def train_dataloader(self):
        return loader()


def test_a_module_that_has_its_own_data():
    assert checkup(Loading(), steps=5, accelerator="cpu").steps == 5


class Counted(Game):
    def __init__(self):
        super().__init__(plain())

    def training_step(self, batch, batch_idx):
        LOSSES.append(0.0)
        super().training_step(batch, batch_idx)


class Unwrapped(Counted):
    """Its steps are not those that Lightning counts."""

    def optimizers(self):
        return super().optimizers(use_pl_optimizer=False)


@pytest.mark.parametrize("kind", [Counted, Unwrapped])
def test_by_hand_a_batch_is_a_step(kind):
    found = examine(kind(), steps=40)
    assert found.steps == len(LOSSES) == 40
    assert found.healthy


class Social(Research):
    """Speaks to its logger, and brings callbacks that would write and stop."""

    def on_fit_start(self):
        self.logger.experiment.add_text("who", "me")
        self.logger.log_hyperparams({"a": 1})
        self.logger.watch(self)

    def configure_callbacks(self):
        return [EarlyStopping("train_loss", patience=0, min_delta=9.0), ModelCheckpoint()]


def test_nothing_writes_or_stops():
    callbacks = [EarlyStopping("train_loss", patience=0, min_delta=9.0), ModelCheckpoint("deep")]
    assert examine(Social(), callbacks=callbacks, max_time="00:00:00:00").steps == 60
    assert examine(Social(), callbacks=callbacks[0], fast_dev_run=True).steps == 60


class Counting(Callback):
    def __init__(self):
        self.batches = 0

    def on_train_batch_end(self, *_):
        self.batches += 1


def test_what_belongs_to_the_training_takes_part_as_a_copy():
    schedule, counting = GradientAccumulationScheduler({0: 3}), Counting()
    assert examine(Research(), steps=5, callbacks=[schedule, counting]).steps == 5
    assert len(LOSSES) == 15
    assert counting.batches == 0


def test_one_device_is_used():
    found = examine(Research(), steps=5, devices=4, strategy="ddp_spawn", num_nodes=2)
    assert found.steps == 5


def test_a_checkpoint_is_gone_on_from(tmp_path):
    model = Research()
    trainer = quiet_trainer(max_epochs=2)
    trainer.fit(model, loader())
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    found = examine(Research(), steps=40, max_epochs=3, ckpt_path=tmp_path / "last.ckpt")
    assert found.steps == 29
    with pytest.raises(RuntimeError, match="at least one optimiser step"):
        examine(Research(), steps=40, max_epochs=2, ckpt_path=tmp_path / "last.ckpt")
    (tmp_path / "last.ckpt").unlink()


@pytest.mark.parametrize("watched", [False, True])
def test_steps_before_a_checkpoint_count_if_a_doctor_has_watched_them(watched, tmp_path):
    trainer = quiet_trainer(max_epochs=6, callbacks=[TrainingDoctor()] * watched)
    trainer.fit(seeded(Research), loader())
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    assert trainer.global_step >= 30
    found = examine(Research(), steps=3, max_epochs=9, ckpt_path=tmp_path / "last.ckpt")
    assert (found.early, found.healthy) == (not watched, watched)
    (tmp_path / "last.ckpt").unlink()


class Lazy(Research):
    def __init__(self):
        super().__init__(network=lambda: nn.Sequential(nn.LazyLinear(32), nn.LazyLinear(10)))

    def configure_optimizers(self):
        with torch.no_grad():
            self.network(torch.zeros(2, 64))
        return super().configure_optimizers()


def test_a_lazy_module_stays_lazy():
    model = Lazy()
    examine(model, steps=5)
    assert len(LOSSES) == 5
    assert model.network[0].has_uninitialized_params()


def eagerly(graph, inputs):
    return graph


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
# Of torch 2.11, where a step draws Python's own random numbers.
@pytest.mark.filterwarnings("ignore:Dynamo does not know how to trace the builtin")
@pytest.mark.parametrize("form", ["whole", "fitted", "in place", "part"])
def test_a_compiled_module(form):
    model = whole = Research(network=plain)
    if form == "in place":
        model.compile(backend=eagerly)
        model.network.compile(backend=eagerly)
    elif form == "part":
        model.network = torch.compile(model.network, backend=eagerly)
    else:
        whole = torch.compile(model, backend=eagerly)
    if form == "fitted":
        quiet_trainer(max_steps=2).fit(whole, loader())
    before = Picture(model)
    examine(whole, steps=5)
    assert len(LOSSES) == 5
    assert_same(before, Picture(model))


def test_the_optimizer_of_the_command_line_is_the_copys():
    model = Research()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    chosen = functools.partial(LightningCLI.configure_optimizers, optimizer=optimizer)
    functools.update_wrapper(chosen, LightningCLI.configure_optimizers)
    model.configure_optimizers = types.MethodType(chosen, model)
    before = Picture(model, [optimizer])
    examine(model, steps=100)
    assert LOSSES[-1] < 0.8 * LOSSES[0]
    assert_same(before, Picture(model, [optimizer]))


def test_an_optimizer_of_the_real_weights_is_refused():
    model = Research()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.configure_optimizers = lambda: optimizer
    before = Picture(model, [optimizer])
    with pytest.raises(TypeError, match="`configure_optimizers` of the copied module"):
        examine(model)
    assert_same(before, Picture(model, [optimizer]))


def test_what_cannot_be_copied_is_named():
    model = Research()
    model.network[0].kept = model.network(torch.zeros(2, 64))
    with pytest.raises(TypeError, match=r"but `network.0.kept` \(Tensor\) cannot be"):
        examine(model)


def test_a_doctor_that_failed_is_no_verdict(monkeypatch):
    from torchvitals.callbacks import training_doctor

    monkeypatch.setattr(training_doctor, "examine", lambda vitals: 1 / 0)
    with (
        pytest.warns(UserWarning, match="switched itself off"),
        pytest.raises(RuntimeError, match="there is no verdict"),
    ):
        examine(Research())


def test_no_steps():
    with pytest.raises(ValueError, match="`steps` to be at least 1, but got 0"):
        examine(Research(), steps=0)
    with pytest.raises(RuntimeError, match="at least one optimiser step"):
        examine(Research(), limit_train_batches=0)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"model": nn.Linear(2, 2)}, "`model` to be a .*LightningModule, but got the Linear"),
        ({"model": Research}, "but got the class Research: instantiate it first"),
        ({"model": None}, "`model` to be a .*LightningModule, but got the NoneType"),
        ({"data": "x"}, "`data` to be a LightningDataModule or the loaders .*, but got 'x'"),
        ({"data": 3}, "`data` to be .*, but got 3"),
        ({"data": {"digits": "folder"}}, "`data` to be .*, but got 'folder'"),
        ({"data": LightningDataModule}, "`data` to be .*, but got <class"),
        ({"val_dataloaders": "x"}, "`val_dataloaders` to be the loaders .*, but got 'x'"),
        ({"steps": "a"}, "`steps` to be a whole number, but got 'a'"),
        ({"steps": 2.5}, "`steps` to be a whole number, but got 2.5"),
        ({"max_epochs": "a"}, "`max_epochs` to be a whole number, but got 'a'"),
        ({"max_steps": "a"}, "`max_steps` to be a number"),
        ({"accumulate_grad_batches": "a"}, "`accumulate_grad_batches` to be a number"),
        ({"limit_train_batches": "a"}, "`limit_train_batches` to be a number"),
        ({"limit_val_batches": "a"}, "`limit_val_batches` to be a number"),
        ({"overfit_batches": "a"}, "`overfit_batches` to be a number"),
        ({"log_every_n_steps": "a"}, "`log_every_n_steps` to be a number"),
        ({"callbacks": 3}, "`callbacks` to be a Callback or a list of them, but got 3"),
        ({"callbacks": ["x"]}, "`callbacks` to hold only Callbacks, but got 'x'"),
        ({"report": 3}, "`report` to be the path of a file, but got 3"),
    ],
)
def test_arguments_of_another_type_are_refused_before_anything_is_done(arguments, match):
    model = arguments.pop("model") if "model" in arguments else Research()
    data = arguments.pop("data") if "data" in arguments else loader()
    with pytest.raises(TypeError, match=match):
        checkup(model, data, accelerator="cpu", **arguments)


def test_a_folder_for_the_page_is_refused_before_anything_is_done(tmp_path):
    LOSSES.clear()
    with pytest.raises(IsADirectoryError, match=r"`report` to be the path of a file.*report\.html"):
        examine(Research(), report=tmp_path)
    assert LOSSES == []


def test_a_page_that_cannot_be_written_does_not_cost_the_result():
    with pytest.warns(UserWarning, match="The checkup's page could not be written: "):
        found = examine(Research(), steps=3, report=f"{__file__}/page.html")
    assert found.steps == 3


def test_whole_numbers_and_batches_of_other_kinds_are_taken():
    class Named(Research):
        def training_step(self, batch, batch_idx):
            return super().training_step(batch["digits"], batch_idx)

    data = {"digits": loader()}
    found = checkup(Named(), data, steps=np.int64(3), max_epochs=np.int64(1), accelerator="cpu")
    assert found.steps == 3


@pytest.mark.gpu
def test_on_a_gpu_its_random_state_is_kept():
    model = Research()
    torch.cuda.manual_seed(5)
    before = torch.cuda.get_rng_state()
    examine(model, accelerator="gpu")
    assert torch.equal(torch.cuda.get_rng_state(), before)
    assert next(model.parameters()).device.type == "cpu"
