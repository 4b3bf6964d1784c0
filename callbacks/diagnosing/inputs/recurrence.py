"""How far back in a sequence the gradients of a recurrent layer reach."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ....functional.devices import same_random_state
from ..weights.anatomy import is_whole

_MAX_SEQUENCES = 8
_MIN_CALLS_IN_A_BATCH = 4
_FORWARD = (nn.RNN.forward, nn.LSTM.forward, nn.GRU.forward)


class SequenceProbe:
    """Keep a few input sequences of the first recurrent layer, and measure gradients through them.

    A recurrent layer is a single operation that hooks cannot see into. It is therefore rerun in
    isolation, rarely and on few sequences; the state of the random generators is restored.

    Attributes:
        layer: Name of the layer; empty before the first sequence.
    """

    def __init__(self) -> None:
        self.layer = ""
        self._rnn: nn.RNNBase | None = None
        self._sequences: Tensor | None = None

    def keep(self, name: str, rnn: nn.Module, x: object) -> None:
        """Keep a layer's input sequences, unless those of another layer are kept."""
        # A subclass may have other inputs and outputs, and have side effects.
        if not isinstance(rnn, nn.RNNBase) or type(rnn).forward not in _FORWARD:
            return
        if not (is_whole(x) and x.ndim == 3 and x.is_floating_point()):
            return
        if self.layer not in ("", name) or not all(map(is_whole, rnn.parameters())):
            return
        self.layer, self._rnn = name, rnn
        batch = 0 if rnn.batch_first else 1
        self._sequences = x.detach().narrow(batch, 0, min(_MAX_SEQUENCES, x.shape[batch])).clone()

    def profile(self) -> list[float]:
        """Return the norm of the last output's gradient w.r.t. the input at each time, in order."""
        rnn, x = self._rnn, self._sequences
        if rnn is None or x is None:
            return []
        alone = torch.autocast(x.device.type, enabled=False)
        with same_random_state(x.device), torch.enable_grad(), alone, _without_cudnn():
            # Under mixed precision, they may come from an earlier layer in a lower precision.
            x = x.to(next(rnn.parameters()).dtype).requires_grad_()
            outputs, _ = rnn.forward(x)
            forwards = outputs[..., : outputs.shape[-1] // (1 + rnn.bidirectional)]
            last = forwards[:, -1] if rnn.batch_first else forwards[-1]
            generator = torch.Generator().manual_seed(0)
            direction = torch.randn(last.shape, generator=generator).to(last)
            (gradient,) = torch.autograd.grad((last * direction).sum(), x)
        self._sequences = x.detach()
        time = 1 if rnn.batch_first else 0
        sizes: list[float] = gradient.float().movedim(time, 0).flatten(1).norm(dim=1).tolist()
        return sizes


@contextmanager
def _without_cudnn() -> Iterator[None]:
    """Let cuDNN stay out of it: of a layer in evaluation mode it computes no gradients."""
    enabled = torch.backends.cudnn.enabled
    torch.backends.cudnn.enabled = False
    try:
        yield
    finally:
        torch.backends.cudnn.enabled = enabled


class RepeatedCalls:
    """Measure the gradients at each call of a layer that a forward pass calls repeatedly.

    Hand-written recurrent networks do so. Calls are counted in one observed batch; in the next one,
    tensor hooks read the gradients, without changing them.

    Attributes:
        calls: Number of calls of each layer in the last observed batch.
    """

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}
        self._repeated: list[str] = []
        self._sizes: list[Tensor] = []

    def begin(self) -> None:
        """Begin a batch."""
        self._repeated = [
            name for name, calls in self.calls.items() if calls >= _MIN_CALLS_IN_A_BATCH
        ]
        self.calls, self._sizes = {}, []

    def saw(self, name: str, output: Tensor) -> None:
        """Record a call of a layer."""
        self.calls[name] = self.calls.get(name, 0) + 1
        if self._repeated[:1] == [name] and output.requires_grad:
            output.register_hook(self._keep)  # type: ignore[no-untyped-call]

    def _keep(self, gradient: Tensor) -> None:
        kinds = torch._C._functorch
        if kinds.is_functorch_wrapped_tensor(gradient) or kinds.is_legacy_batchedtensor(gradient):
            return  # Of several backward passes at once, as for a Jacobian.
        self._sizes.append(gradient.detach().float().norm())

    @property
    def layer(self) -> str:
        """Name of the first layer that is called repeatedly; empty if there is none."""
        return self._repeated[0] if self._repeated else ""

    def profile(self) -> list[float]:
        """Return the norm of the gradient at each call of that layer, in order."""
        sizes: list[float] = torch.stack(self._sizes).tolist()[::-1] if self._sizes else []
        return sizes
