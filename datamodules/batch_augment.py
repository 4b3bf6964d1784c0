"""Augmentation of a whole batch, with separate random draws for each image."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import get_worker_info

from ..functional.arguments import optional_whole_number
from ..functional.augmentation import keyed_uniform
from ..functional.choices import choose
from ..functional.devices import works_alongside
from ..functional.mixing import beta_table, soft_targets
from ..functional.pixels import normal_from_uniform
from .augmenting.batch_mixing import mix
from .augmenting.changing import change
from .augmenting.checking import check_batch, check_range
from .augmenting.draws import NOISE, Draws, needed_columns
from .augmenting.normalizing import checked_statistics, normalize
from .augmenting.operation import Setting, parse_operations
from .augmenting.precision import narrow, widen
from .augmenting.presets import PRESETS, Preset
from .augmenting.recoloring import blur, erase

_MIXES = ("mixup", "cutmix")
_Key = tuple[Tensor | None, int]


class BatchAugment(nn.Module):
    """Augment each image of a batch with its own random amounts, on the batch's device.

    All geometric operations form one affine map and one bilinear warp, with zeros outside;
    ``random_crop`` and flips alone move pixels without interpolation. Colour operations form one
    matrix for each image, with clamping at the end. The order is fixed: geometry, brightness,
    contrast, saturation, hue, grayscale, sharpness, posterize, solarize, autocontrast, equalize,
    blur, noise, erasing, MixUp or CutMix, normalisation. In eval mode, images are at most
    normalised.

    Images are uint8 or floating point in 0..1. Geometry, blur, erasing and mixing accept any
    floats. Colour operations and noise clamp to 0..1: the first batch of floats for them is refused
    if it exceeds that range by more than resampling does (0.3). Later batches are not checked,
    because that would synchronise a GPU, nor are those of a compiled graph.

    ``operations`` maps names to a number, a range ``[low, high]``, or ``{"range": ..., "p": ...}``
    with the probability of applying the operation to an image:

    - ``rotation`` and ``shear`` (``shear_x``, ``shear_y``): degrees; ``shift`` (``shift_x``,
      ``shift_y``) and ``hue``: fraction of the side and of the colour circle; ``translate``
      (``translate_x``, ``translate_y``): pixels; ``a`` means ``-a..a``;
    - ``zoom``, ``brightness``, ``contrast``, ``saturation``, ``sharpness``: factors; ``a`` means
      ``1-a..1+a``;
    - ``crop``: maximum fraction of the side cut off; ``resized_crop``: minimum fraction of the
      area, with aspect ratios from 3/4 to 4/3; ``random_crop``: pixels of padding, as for CIFAR;
    - ``horizontal_flip``, ``vertical_flip``, ``grayscale``, ``autocontrast``, ``equalize``,
      ``erasing`` (range: fraction of the area): probabilities;
    - ``posterize``: minimum number of bits kept, of 8; ``solarize``: minimum threshold, in 0..1,
      from which pixels are inverted;
    - ``noise``: maximum standard deviation, where white is 1; ``blur``: maximum sigma in pixels;
    - ``mixup``, ``cutmix``: alpha of the Beta distribution. With both, one of them is chosen at
      random for each image. The other image is from the same batch.

    The presets never flip and never mix. ``"randaugment"`` applies two operations at magnitude 9,
    ``"trivialaugment"`` one at any magnitude, each chosen per image from the papers' 14: identity,
    rotation, shears, shifts, brightness, contrast, saturation, sharpness, posterize, solarize,
    autocontrast and equalize. Unlike in the papers' code, magnitudes are not quantised to 31 steps,
    shears are about the centre, and pixels are interpolated.

    ``torch.compile`` captures it in one graph if draws are by index.

    Args:
        operations: ``"none"``, ``"light"``, ``"standard"``, ``"strong"``, ``"randaugment"``,
            ``"trivialaugment"``, or a mapping as above.
        generator: Source of the random draws; None creates one from ``seed``. In each worker
            process of a DataLoader, it is replaced by one that the loader seeds.
        seed: Seed of the created generator and of draws by index.
        clamp: Apply colour operations one at a time, each clamped (and for uint8 truncated to
            integers), and hue in HSV: slower, with torchvision's results, for uint8 bit for bit.
        num_classes: Required to mix targets that are class indices.
        mean: One number for each channel, or one for all, where white is 1: subtracted from every
            image at the end, also in eval mode. Requires ``std``.
        std: Standard deviation that images are then divided by, in the same form.

    Raises:
        ValueError: If a name is unknown or a number is out of range.
        TypeError: If a setting is not a number, a range or a mapping.

    Reference:
        Cubuk et al. 2020, "RandAugment"; Mueller and Hutter 2021, "TrivialAugment".

    Example:
        >>> augment = BatchAugment({"rotation": 15, "brightness": 0.2, "horizontal_flip": 0.5})
        >>> augment(torch.zeros(2, 3, 8, 8)).shape
        torch.Size([2, 3, 8, 8])
    """

    columns: Tensor
    mean: Tensor | None
    std: Tensor | None

    def __init__(
        self,
        operations: str | Mapping[str, Setting] = "standard",
        generator: torch.Generator | None = None,
        *,
        seed: int = 0,
        clamp: bool = False,
        num_classes: int | None = None,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if isinstance(operations, str):
            preset = choose("augment", operations, PRESETS)
        elif isinstance(operations, Mapping):
            preset = Preset(dict(operations))
        else:
            raise TypeError(
                f"Expected `operations` to be a preset's name or a mapping of names to ranges, "
                f"but got {operations!r}."
            )
        self.operations = parse_operations(preset.operations)
        self.choices, self.extremes = preset.choices, preset.extremes
        self.generator = torch.Generator().manual_seed(seed) if generator is None else generator
        self.seed, self.clamp = seed, clamp
        self.num_classes = optional_whole_number("num_classes", num_classes)
        self._worker_seed: int | None = None
        self._range_checked = False
        self._numbers = needed_columns(self.operations, preset.choices)
        self._mixes = [name for name in _MIXES if name in self.operations]
        self._keep("columns", torch.tensor(self._numbers, dtype=torch.int64))
        for name in self._mixes:
            self._keep(f"{name}_table", beta_table(self.operations[name].high))
        for name, values in zip(("mean", "std"), checked_statistics(mean, std), strict=True):
            self._keep(name, values)

    def forward(
        self,
        images: Tensor,
        targets: Tensor | None = None,
        *,
        masks: Tensor | None = None,
        index: Tensor | None = None,
        epoch: int = 0,
    ) -> Any:
        """Augment images, and the targets and masks that are passed with them.

        Args:
            images: Shape ``(N, C, H, W)``, uint8 or floating point in 0..1.
            targets: Class indices of shape ``(N,)`` or probabilities of shape ``(N, classes)``;
                returned as they are, or as probabilities if images are mixed.
            masks: Shape ``(N, H, W)`` or ``(N, K, H, W)``: moved like the images, with nearest
                interpolation and 0 outside; erasing does not change them.
            index: Index of each image in its data set, shape ``(N,)``: the draws then depend only
                on (seed, epoch, index), not on the generator. Only the other image of a mixture
                depends on the batch.
            epoch: Epoch, for draws by index.

        Returns:
            Images of the same shape, dtype and memory format, or a tuple of what was passed;
            normalised uint8 images are returned as float32.

        Raises:
            ValueError: If a shape does not fit, images to be mixed have no targets, or class
                indices are out of range, which is checked on a CPU; or if the first floats whose
                colours change are not in 0..1.
        """
        check_batch(images, targets, masks, index, self.mean)
        if self.columns.device != images.device:
            # Kept, so that only the first batch waits for the copy.
            self.to(images.device)
        work = images
        if self.training and self.operations:
            self._check_mixing(targets, masks)
            if self._mixes and targets is not None:
                targets = soft_targets(targets, self.num_classes)
            if len(images):
                self._check_range(images)
                work, targets, masks = self._augment(images, targets, masks, (index, epoch))
        given = [
            value for value in (self._finish(work, images), targets, masks) if value is not None
        ]
        return given[0] if len(given) == 1 else tuple(given)

    def get_extra_state(self) -> dict[str, Tensor]:
        """Return the generator's state, so that a resumed run continues with the same draws."""
        return {"generator": self.generator.get_state()}

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        """Continue with the draws of ``get_extra_state``."""
        self.generator.set_state(state["generator"].cpu())

    def __getstate__(self) -> dict[str, Any]:
        # A pickled generator cannot be read by a process that was started by `spawn`.
        numbers = self.generator.get_state().numpy().tobytes()
        return {**self.__dict__, "generator": (str(self.generator.device), numbers)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        device, numbers = state["generator"]
        generator = torch.Generator(device)
        generator.set_state(torch.frombuffer(bytearray(numbers), dtype=torch.uint8))
        self.__dict__.update(state, generator=generator)

    def _keep(self, name: str, values: Tensor | None) -> None:
        self.register_buffer(name, values, persistent=False)

    def _check_mixing(self, targets: Tensor | None, masks: Tensor | None) -> None:
        if self._mixes and targets is None:
            raise ValueError(
                "Expected `targets` to mix images, but got None. Pass both, or leave out 'mixup' "
                "and 'cutmix'."
            )
        if "mixup" in self._mixes and masks is not None:
            raise ValueError("Expected no `masks` with 'mixup', but got some. Use 'cutmix'.")

    def _check_range(self, images: Tensor) -> None:
        """Check only the first floats: a compiled graph cannot, and a GPU would synchronise."""
        if torch.compiler.is_compiling() or self._range_checked or not images.is_floating_point():
            return
        check_range(images, self.operations)
        self._range_checked = True

    def _augment(
        self, images: Tensor, targets: Tensor | None, masks: Tensor | None, key: _Key
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        bound = 1.0 if images.is_floating_point() else 255.0
        uniform = self._uniform(images, key)
        work = images
        for turn in range(self.choices) if self.choices else [None]:
            draws = Draws(
                self.operations, uniform, self._numbers, turn=turn, extremes=self.extremes
            )
            work, masks = change(work, masks, draws, bound, clamp=self.clamp)
        if "blur" in draws:
            work = blur(work, draws)
        if "noise" in draws:
            spread = draws.amount("noise")[:, None, None, None] * bound
            work = widen(work)
            work = (work + spread * self._noise(work, key)).clamp_(0, bound)
        if "erasing" in draws:
            work = erase(work, draws)
        if self._mixes and targets is not None:
            tables = {name: getattr(self, f"{name}_table") for name in self._mixes}
            work, targets, masks = mix(widen(work), targets, masks, draws, tables)
        return work, targets, masks

    def _finish(self, work: Tensor, images: Tensor) -> Tensor:
        if self.mean is None or self.std is None:
            return narrow(work, images)
        bound = 1.0 if images.is_floating_point() else 255.0
        normal = normalize(work, self.mean * bound, self.std * bound, in_place=work is not images)
        return narrow(normal, images if images.is_floating_point() else normal)

    def _uniform(self, images: Tensor, key: _Key) -> Tensor:
        index, epoch = key
        if index is None:
            self._leave_the_other_workers()
            shape = (len(images), len(self._numbers))
            device = self.generator.device
            uniform = torch.rand(shape, generator=self.generator, device=device)
        else:
            here = index.device == self.columns.device
            columns = self.columns if here else torch.tensor(self._numbers, device=index.device)
            uniform = keyed_uniform(index, columns, seed=self.seed, epoch=epoch)
        return _send(uniform, images.device)

    def _leave_the_other_workers(self) -> None:
        """In a worker process of a DataLoader, create a separate generator, once."""
        worker = get_worker_info()
        if worker is not None and self._worker_seed != worker.seed:
            # All workers start with copies of one generator and would repeat its draws.
            self._worker_seed = worker.seed
            self.generator = torch.Generator().manual_seed((worker.seed + self.seed) % 2**63)

    def _noise(self, images: Tensor, key: _Key) -> Tensor:
        index, epoch = key
        if index is None:
            device = self.generator.device
            noise = torch.randn(images.shape, generator=self.generator, device=device)
        else:
            size = images[0].numel()
            columns = torch.arange(NOISE, NOISE + size + size % 2, device=index.device)
            uniform = keyed_uniform(index, columns, seed=self.seed, epoch=epoch)
            noise = normal_from_uniform(uniform)[:, :size]
        return _send(noise, images.device).view(images.shape).to(images.dtype)


def _send(draws: Tensor, device: torch.device) -> Tensor:
    # A copy to a GPU need not be waited for; one from a GPU must be.
    return draws.to(device, non_blocking=works_alongside(device))
