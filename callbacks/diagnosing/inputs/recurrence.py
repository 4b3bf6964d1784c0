"""How far back in a sequence a recurrent layer can learn from."""

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

_MAX_SEQUENCES = 8
_MIN_CALLS_IN_A_BATCH = 4
_FORWARD = (nn.RNN.forward, nn.LSTM.forward, nn.GRU.forward)


class SequenceProbe:
    """Keep a few sequences that reached the first recurrent layer, and see how gradients fare.

    A recurrent layer is one operation, inside of which no hook sees anything. So it is run again
    by itself, on few sequences and seldom; the random numbers that it may draw are put back.

    Attributes:
        layer: Name of the layer; empty before the first sequence.
    """

    def __init__(self) -> None:
        self.layer = ""
        self._rnn: nn.RNNBase | None = None
        self._sequences: Tensor | None = None

    def keep(self, name: str, rnn: nn.Module, x: object) -> None:
        """Take sequences up, unless they are of another layer than those before."""
        if not isinstance(rnn, nn.RNNBase) or self.layer not in ("", name):
            return
        if type(rnn).forward not in _FORWARD:
            return  # A subclass may take and give another form, and do something else besides.
        if not isinstance(x, Tensor) or x.ndim != 3 or not x.is_floating_point():
            return
        if isinstance(x, DTensor) or any(isinstance(p, DTensor) for p in rnn.parameters()):
            return
        self.layer, self._rnn = name, rnn
        batch = 0 if rnn.batch_first else 1
        self._sequences = x.detach().narrow(batch, 0, min(_MAX_SEQUENCES, x.shape[batch])).clone()

    def profile(self) -> list[float]:
        """Size of the gradient of the last output by the input of each time, from the first on."""
        rnn, x = self._rnn, self._sequences
        if rnn is None or x is None:
            return []
        devices = [x.device] if x.is_cuda else []
        alone = torch.autocast(x.device.type, enabled=False)
        with torch.random.fork_rng(devices), torch.enable_grad(), alone:
            # Mixed precision had converted them for a layer in front.
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


class RepeatedCalls:
    """Gradients at each call of a layer that one forward pass calls again and again.

    That is how recurrent networks are written by hand. A batch counts the calls, and at the next
    one that is watched, tensor hooks see the gradients; they change nothing.

    Attributes:
        calls: How often each layer was called in the last batch that was watched.
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
        """Take down that a layer was called."""
        self.calls[name] = self.calls.get(name, 0) + 1
        if self._repeated[:1] == [name] and output.requires_grad:
            output.register_hook(self._keep)  # type: ignore[no-untyped-call]

    def _keep(self, gradient: Tensor) -> None:
        self._sizes.append(gradient.detach().float().norm())

    @property
    def layer(self) -> str:
        """Name of the first layer that is called again and again; empty if there is none."""
        return self._repeated[0] if self._repeated else ""

    def profile(self) -> list[float]:
        """Size of the gradient at each call of that layer, from the first on."""
        sizes: list[float] = torch.stack(self._sizes).tolist()[::-1] if self._sizes else []
        return sizes
