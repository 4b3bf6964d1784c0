"""What the benchmark of the monitors trains with: nothing, ours, and what others do."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from lightning.pytorch import Callback
from peers import Cockpit, LeastPasses, LightningGradNorm, NaiveHooks, Watch

from torchvitals import callbacks as ours


@dataclass(frozen=True)
class Candidate:
    """Callbacks that are trained with; ``rare`` ones take turns in fewer rounds.

    One that takes minutes on a CPU trains ``cpu_steps`` there, once.
    """

    make: Callable[[], list[Callback]]
    needs: tuple[str, ...] = ()
    rare: bool = True
    memory: bool = False
    least_steps: int = 0
    cpu_steps: int = 0


def alone(name: str, every_n_steps: int | None) -> list[Callback]:
    return [getattr(ours, name)(every_n_steps)]


def all_four(every_n_steps: int | None) -> list[Callback]:
    return [
        ours.GradientNormMonitor(every_n_steps),
        ours.DeadReLUMonitor(every_n_steps),
        ours.ActivationMonitor(every_n_steps),
        ours.UpdateRatioMonitor(every_n_steps),
    ]


COCKPIT = ("cockpit", "backpack")
CANDIDATES = {
    "bare Trainer": Candidate(list, rare=False, memory=True),
    "4 callbacks that do nothing": Candidate(lambda: [Callback() for _ in range(4)], rare=False),
    "all four monitors, defaults": Candidate(lambda: all_four(None), rare=False, memory=True),
    "all four monitors, every step": Candidate(lambda: all_four(1), rare=False, memory=True),
    "norms alone, every step": Candidate(
        lambda: [LeastPasses()], rare=False, memory=True
    ),
    "TrainingDoctor, defaults": Candidate(
        lambda: [ours.TrainingDoctor()], rare=False, memory=True
    ),
    **{
        f"{name}, {'every step' if every else 'defaults'}": Candidate(
            partial(alone, name, every)
        )
        for name in (
            "GradientNormMonitor", "DeadReLUMonitor", "ActivationMonitor", "UpdateRatioMonitor",
        )
        for every in (None, 1)
    },
    "Lightning grad_norm, every 50": Candidate(lambda: [LightningGradNorm(50)]),
    "Lightning grad_norm, every step": Candidate(lambda: [LightningGradNorm(1)], memory=True),
    "wandb.watch gradients, every 1000": Candidate(lambda: [Watch("gradients")], ("wandb",)),
    "wandb.watch gradients, every step": Candidate(
        lambda: [Watch("gradients", 1)], ("wandb",), memory=True
    ),
    "wandb.watch all, every step": Candidate(lambda: [Watch("all", 1)], ("wandb",), memory=True),
    "naive hooks, every step": Candidate(lambda: [NaiveHooks()], memory=True),
    "Cockpit economy, every 256": Candidate(lambda: [Cockpit(256)], COCKPIT, least_steps=256),
    "Cockpit economy, every step": Candidate(
        lambda: [Cockpit(1)], COCKPIT, memory=True, cpu_steps=2
    ),
}  # fmt: skip
