"""Flows, autoencoders and diffusion: networks that learn a distribution."""

from typing import Any

import torch.nn.functional as F
from case import Goal, Published, adam, tensor_case
from data_sets import Split, digits, images_alone, moons
from lightning.pytorch import LightningModule
from torch import Tensor, nn


def real_nvp() -> LightningModule:
    import normflows as nf

    layers: list[nn.Module] = []
    for _ in range(8):
        change = nf.nets.MLP([1, 32, 32, 2], init_zeros=True)
        layers += [nf.flows.AffineCouplingBlock(change), nf.flows.Permute(2, mode="swap")]
    network = nf.NormalizingFlow(nf.distributions.DiagGaussian(2), layers)
    return Published(
        network,
        lambda flow, points: {"loss": flow.forward_kld(points[0])},
        adam(5e-4, weight_decay=1e-5),
    )


def masked_flow() -> LightningModule:
    from nflows.distributions import StandardNormal
    from nflows.flows import Flow
    from nflows.transforms import (
        CompositeTransform,
        MaskedAffineAutoregressiveTransform,
        ReversePermutation,
    )

    layers: list[nn.Module] = []
    for _ in range(5):
        change = MaskedAffineAutoregressiveTransform(features=2, hidden_features=32)
        layers += [ReversePermutation(features=2), change]
    network = Flow(CompositeTransform(layers), StandardNormal(shape=[2]))
    return Published(
        network, lambda flow, points: {"loss": -flow.log_prob(points[0]).mean()}, adam(1e-3)
    )


def spline_flow() -> LightningModule:
    import zuko

    network = zuko.flows.NSF(2, transforms=3, hidden_features=(64, 64))
    return Published(
        network, lambda flow, points: {"loss": -flow().log_prob(points[0]).mean()}, adam(1e-3)
    )


class Codebook(nn.Module):
    """An autoencoder with the package's codebook between its halves."""

    def __init__(self) -> None:
        from vector_quantize_pytorch import VectorQuantize

        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 32, 4, 2, 1), nn.GELU(), nn.Conv2d(32, 32, 3, padding=1)
        )
        self.codes = VectorQuantize(dim=32, codebook_size=64, accept_image_fmap=True, decay=0.9)
        self.decoder = nn.Sequential(
            nn.Conv2d(32, 32, 3, padding=1), nn.GELU(), nn.ConvTranspose2d(32, 1, 4, 2, 1)
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        codes, _, commitment = self.codes(self.encoder(images))
        return self.decoder(codes), commitment.sum()


def vector_quantizer() -> LightningModule:
    return Published(Codebook(), restore, adam(1e-3))


def restore(network: nn.Module, batch: Any) -> dict[str, Tensor]:
    (images,) = batch
    found, commitment = network(images)
    error = F.mse_loss(found, images)
    return {"loss": error + commitment, "mse": error}


def diffusion() -> LightningModule:
    from denoising_diffusion_pytorch import GaussianDiffusion, Unet

    network = Unet(dim=16, dim_mults=(1, 2), channels=1, flash_attn=False)
    process = GaussianDiffusion(network, image_size=16, timesteps=200)
    return Published(
        process, lambda process, images: {"loss": process(images[0])}, adam(1e-3, betas=(0.9, 0.99))
    )


class Variational(nn.Module):
    """The model and the guide of an autoencoder, as the package's tutorial has them."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 128), nn.Softplus())
        self.mean, self.scale = nn.Linear(128, 8), nn.Linear(128, 8)
        self.decoder = nn.Sequential(nn.Linear(8, 128), nn.Softplus(), nn.Linear(128, 64))

    def model(self, x: Tensor) -> None:
        import pyro
        from pyro.distributions import Bernoulli, Normal

        with pyro.plate("images", len(x)):
            z = pyro.sample("z", Normal(x.new_zeros(len(x), 8), 1.0).to_event(1))
            pixels = Bernoulli(logits=self.decoder(z), validate_args=False)
            pyro.sample("x", pixels.to_event(1), obs=x)

    def guide(self, x: Tensor) -> None:
        import pyro
        from pyro.distributions import Normal

        with pyro.plate("images", len(x)):
            hidden = self.encoder(x)
            pyro.sample("z", Normal(self.mean(hidden), self.scale(hidden).exp()).to_event(1))


def variational() -> LightningModule:
    from pyro.infer import Trace_ELBO

    bound = Trace_ELBO()

    def step(network: Any, batch: Any) -> dict[str, Tensor]:
        x = batch[0].flatten(1)
        return {"loss": bound.differentiable_loss(network.model, network.guide, x) / len(x)}

    return Published(Variational(), step, adam(1e-3))


def bright_digits() -> Split:
    return images_alone(digits(8, 1, normalized=False))


def larger_digits() -> Split:
    return images_alone(digits(16, 1, normalized=False))


# A normal distribution has 2.84 nats a point.
BENT = Goal("val_loss", at_most=2.3)
BEYOND_MEANS = Goal("val_loss", at_most=26)
CASES = (
    tensor_case("normflows/RealNVP", "density of moons", real_nvp, moons, 15, BENT, batch_size=128),
    tensor_case("nflows/MAF", "density of moons", masked_flow, moons, 15, BENT, batch_size=128),
    tensor_case("zuko/NSF", "density of moons", spline_flow, moons, 12, BENT, batch_size=128),
    # The variance of the pixels is 0.14.
    tensor_case(
        "vector_quantize_pytorch/codebook", "code digits", vector_quantizer, bright_digits, 12,
        Goal("val_mse", at_most=0.03),
    ),
    # A guess of no noise at all is off by 1.
    tensor_case(
        "denoising_diffusion_pytorch/Unet", "noise on digits", diffusion, larger_digits, 3,
        Goal("val_loss", at_most=0.2),
    ),
    # The mean of each pixel, whatever the image, leaves 27.1 nats; 15 epochs end on that plateau.
    tensor_case(
        "pyro_ppl/autoencoder", "density of digits", variational, bright_digits, 60, BEYOND_MEANS
    ),
    tensor_case(
        "pyro_ppl/autoencoder, cut short", "density of digits", variational, bright_digits, 15,
        BEYOND_MEANS,
    ),
)  # fmt: skip
