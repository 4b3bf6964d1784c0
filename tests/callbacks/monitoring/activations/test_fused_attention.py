"""Encoders at rest take torch's fused path in observed steps, as without any monitor."""

import copy
from contextlib import suppress

import pytest
import torch
from helpers.research import loader
from helpers.training import quiet_trainer
from lightning.pytorch import LightningModule, seed_everything
from torch import nn
from torchvision.models.vision_transformer import EncoderBlock

from torchvitals.callbacks import (
    ActivationMonitor,
    DeadReLUMonitor,
    GradientNormMonitor,
    TrainingDoctor,
    UpdateRatioMonitor,
)
from torchvitals.callbacks.monitoring.activations.activation_observer import ActivationObserver
from torchvitals.callbacks.monitoring.activations.fused_attention import (
    at_rest,
    callers_of_fused,
    inside_fused,
)

pytestmark = pytest.mark.filterwarnings("ignore:Found .* in eval mode at the start of training")

LAYER = nn.TransformerEncoderLayer


def encoder(activation="relu"):
    layer = LAYER(8, 2, 16, 0.0, activation, batch_first=True)
    return nn.TransformerEncoder(layer, 2)


def frozen(module):
    return module.requires_grad_(False).eval()


class Vision(nn.Module):
    """The blocks of torchvision's vision transformer, frozen under a head of their own."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(*(EncoderBlock(2, 8, 16, 0.0, 0.0) for _ in range(2)))
        self.head = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 8))

    def forward(self, x):
        return self.head(self.blocks(x))


class Distilled(LightningModule):
    """A student that follows a teacher at rest."""

    def __init__(self, student, teacher):
        super().__init__()
        self.student, self.teacher = student, teacher

    def training_step(self, batch, batch_idx):
        with torch.no_grad():
            target = self.teacher(batch[0])
        return (self.student(batch[0]) - target).square().mean()

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.student(batch[0]).square().mean())

    def configure_optimizers(self):
        trained = [p for p in self.parameters() if p.requires_grad]
        return torch.optim.SGD(trained, lr=0.1)


class Probe(Distilled):
    """A head on a frozen encoder, with gradients enabled throughout."""

    def training_step(self, batch, batch_idx):
        return self.student(self.teacher(batch[0])).square().mean()


def distilled():
    student = encoder()
    return Distilled(student, frozen(copy.deepcopy(student)))


def vision():
    network = Vision()
    frozen(network.blocks)
    return Distilled(network, frozen(nn.Linear(8, 8)))


def probe():
    return Probe(nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 2)), frozen(encoder()))


def train(make, callbacks, monkeypatch):
    seed_everything(0)
    fused = []
    with monkeypatch.context() as patched:
        for name in ("_transformer_encoder_layer_fwd", "_native_multi_head_attention"):
            call = getattr(torch, name)
            patched.setattr(
                torch, name, lambda *a, _call=call, **k: fused.append(0) or _call(*a, **k)
            )
        module, data = make(), loader(torch.randn(24, 5, 8))
        quiet_trainer(max_epochs=2, callbacks=callbacks).fit(module, data, data)
    return module.state_dict(), len(fused)


MONITORS = {
    "dead": lambda: [DeadReLUMonitor()],
    "activations": lambda: [ActivationMonitor(every_n_steps=1)],
    "all": lambda: [
        GradientNormMonitor(every_n_steps=1),
        DeadReLUMonitor(),
        ActivationMonitor(every_n_steps=1),
        UpdateRatioMonitor(every_n_steps=1),
    ],
    "doctor": lambda: [TrainingDoctor()],
}


@pytest.mark.parametrize("monitors", MONITORS.values(), ids=MONITORS)
@pytest.mark.parametrize("make", [distilled, vision, probe])
def test_a_training_with_an_encoder_at_rest_is_the_same_to_the_last_bit(
    make, monitors, monkeypatch
):
    bare, fused = train(make, [], monkeypatch)
    observed, fused_observed = train(make, monitors(), monkeypatch)
    assert fused_observed == fused > 0
    assert bare.keys() == observed.keys()
    assert all(torch.equal(bare[name], observed[name]) for name in bare)


def test_a_teacher_that_is_not_frozen_misses_the_fused_path_as_the_docs_say(monkeypatch):
    def unfrozen():
        module = distilled()
        module.teacher.requires_grad_(True)
        return module

    _, fused = train(unfrozen, [], monkeypatch)
    _, observed = train(unfrozen, [DeadReLUMonitor()], monkeypatch)
    assert observed < fused


@pytest.mark.parametrize(
    ("make", "sites"),
    [
        (distilled, {"student.layers.0.relu", "student.layers.1.relu"}),
        (vision, {"student.blocks.0.mlp.1", "student.blocks.1.mlp.1", "student.head.1"}),
        (probe, {"student.1"}),
    ],
)
def test_what_is_around_the_fused_part_is_still_observed(make, sites):
    monitor = ActivationMonitor(every_n_steps=1)
    quiet_trainer(callbacks=[monitor]).fit(make(), loader(torch.randn(24, 5, 8)))
    assert set(monitor.mean) == sites


def test_a_teacher_that_fails_is_followed_by_steps_as_before():
    class Failing(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            return self.attention(x[..., : 8 - self.calls % 2], x, x)[0]

    class Forgiving(Distilled):
        def training_step(self, batch, batch_idx):
            with suppress(AssertionError, RuntimeError):
                self.teacher(batch[0])
            return self.student(batch[0]).square().mean()

    student = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 8))
    monitor = DeadReLUMonitor()
    module = Forgiving(student, frozen(Failing()))
    quiet_trainer(callbacks=[monitor]).fit(module, loader(torch.randn(24, 5, 8)))
    assert set(monitor.dead_units) == {"student.1"}
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in module.modules())


def test_a_step_that_ends_within_a_teacher_leaves_nothing_entered():
    class Failing(nn.MultiheadAttention):
        fails = True

        def forward(self, *inputs):
            if self.fails:
                raise RuntimeError
            return super().forward(*inputs)

    teacher = frozen(Failing(8, 2, batch_first=True))
    observer = ActivationObserver(["relu"], lambda *_: None, pytest.fail)
    observer.attach(nn.Sequential(teacher))
    observer.start()
    x = torch.randn(2, 3, 8)
    with pytest.raises(RuntimeError):
        teacher(x, x, x)
    observer.stop()
    teacher.fails = False
    teacher(x, x, x)
    assert not torch._C._len_torch_function_stack()
    observer.detach()


def names_of(root, modules):
    wanted = {id(module) for module in modules}
    return [name for name, module in root.named_modules() if id(module) in wanted]


def test_which_modules_accept_no_hook_and_which_call_them():
    bare = nn.ModuleList([LAYER(8, 2, 16, batch_first=True)])
    root = nn.ModuleDict(
        {
            "trained": encoder(),
            "evaluated": encoder().eval(),
            "frozen": encoder().requires_grad_(False),
            "resting": frozen(encoder()),
            "bare": frozen(bare),
            "attention": frozen(nn.MultiheadAttention(8, 2)),
            "partly": encoder(),
        }
    )
    frozen(root["partly"].layers[0])
    assert names_of(root, callers_of_fused(root)) == ["resting", "attention"]
    layers = [m for m in root.modules() if id(m) in inside_fused(root) and isinstance(m, LAYER)]
    assert names_of(root, layers) == [
        "resting.layers.0", "resting.layers.1", "bare.0", "partly.layers.0",
    ]  # fmt: skip
    assert {id(part) for layer in layers for part in layer.modules()} == inside_fused(root)
    assert [name for name, part in root.named_children() if at_rest(part)] == [
        "resting", "bare", "attention",
    ]  # fmt: skip
