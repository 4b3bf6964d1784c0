"""A module's own hook behind a batch, run before a checkpoint that a callback's saves.

Lightning calls the callbacks' first. What the module would log is not in a checkpoint that one of
them saves, as ``ModelCheckpoint(every_n_train_steps=...)`` does, and on resume the hook is not
called any more: its batch and what the step left are gone.
"""

from typing import Any

from lightning.pytorch import LightningModule, Trainer

_PACKAGE = __name__.partition(".callbacks.")[0]
_NAME = "on_train_batch_end"
_IDLE = f"ModelHooks.{_NAME}"


class LastHook:
    """Take the hook's place in the module until Lightning calls it, and run it early on demand.

    Several callbacks share one: the hook runs once.

    Args:
        pl_module: The module.
        arguments: What the hook will be called with.

    Attributes:
        begun: Whether it ran, or is running.
        early: Whether it did before Lightning called it.
    """

    def __init__(self, pl_module: LightningModule, arguments: tuple[Any, ...]) -> None:
        self.begun = self.early = False
        self._module, self._arguments = pl_module, arguments
        self._hook = getattr(pl_module, _NAME)
        self._before = vars(pl_module).get(_NAME)
        self._error: Exception | None = None
        vars(pl_module)[_NAME] = self

    @classmethod
    def expect(cls, pl_module: LightningModule, *arguments: Any) -> "LastHook":
        """The one that stands in for this batch's hook already, or a new one."""
        hook = getattr(pl_module, _NAME)
        return hook if isinstance(hook, cls) else cls(pl_module, arguments)

    def __call__(self, *arguments: Any) -> Any:
        """Lightning's own call: an error that was raised before is raised now."""
        self.leave()
        if self._error is not None:
            raise self._error
        if self.begun:
            return None
        self.begun = True
        return self._hook(*arguments)

    def run_early(self, trainer: Trainer) -> None:
        """Run it as Lightning does, so that what it logs is logged by a hook of its name."""
        if self.begun:
            return
        self.begun = self.early = True
        module = self._module
        outer, module._current_fx_name = module._current_fx_name, _NAME
        action = f"[LightningModule]{type(module).__name__}.{_NAME}"
        try:
            with trainer.profiler.profile(action):  # type: ignore[attr-defined]
                self._hook(*self._arguments)
        except Exception as error:
            self._error = error  # the checkpoint is saved for all that
        finally:
            module._current_fx_name = outer

    def leave(self) -> None:
        """Give the hook its place back, and the batch free."""
        self._arguments = ()
        attributes = vars(self._module)
        if attributes.get(_NAME) is self:
            del attributes[_NAME]
            if self._before is not None:
                attributes[_NAME] = self._before

    def __getstate__(self) -> dict[str, Any]:
        """In a copy of the module the next call is the first, and there is no batch to hold."""
        return {**vars(self), "_arguments": (), "_error": None, "begun": False, "early": False}


def has_one(pl_module: LightningModule) -> bool:
    """Whether the module has such a hook of its own."""
    return getattr(getattr(pl_module, _NAME), "__qualname__", "") != _IDLE


def others_have_one(trainer: Trainer) -> bool:
    """Whether a callback that is neither Lightning's nor ours has such a hook."""
    known = ("lightning.", "pytorch_lightning.", f"{_PACKAGE}.")
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    return not all(getattr(c, _NAME).__module__.startswith(known) for c in callbacks)
