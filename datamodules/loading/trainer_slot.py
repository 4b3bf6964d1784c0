"""The attribute in which a data module keeps its Trainer."""

from typing import Any

from lightning.pytorch import Trainer


class TrainerSlot:
    """Attribute ``trainer`` of a data module, which accepts only Trainers of ``lightning``.

    ``pytorch_lightning`` is a separate package with separate classes. Its Trainer would fail later,
    with an error that does not say why.

    Raises:
        TypeError: If a Trainer of the other package is assigned.
    """

    def __get__(self, instance: Any, owner: type | None = None) -> Trainer | None:
        return instance.__dict__.get("trainer") if instance is not None else None

    def __set__(self, instance: Any, trainer: Any) -> None:
        packages = {base.__module__.partition(".")[0] for base in type(trainer).__mro__}
        if "pytorch_lightning" in packages:
            raise TypeError(
                f"Expected {type(instance).__name__} to get a Trainer of `lightning.pytorch`, but "
                f"got one of `pytorch_lightning`. Use `from lightning.pytorch import Trainer`."
            )
        instance.__dict__["trainer"] = trainer
