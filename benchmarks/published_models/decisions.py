"""Values of actions, ensembles within a network, and an image as a function."""

from functools import cache
from typing import Any

import numpy as np
import torch.nn.functional as F
from case import Goal, Published, adam, adamw, tensor_case
from data_sets import Split, as_tensor, split, table
from lightning.pytorch import LightningModule
from sklearn.datasets import load_sample_image
from torch import Tensor, nn


def pushed(state: np.ndarray, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A mass that is pushed left, not at all, or right: where it is next, and what that earns."""
    speed = state[:, 1] + 0.3 * (action - 1)
    following = np.clip(np.stack([state[:, 0] + 0.3 * speed, speed], 1), -3, 3)
    return following, -(following**2).sum(1) / 4


@cache
def transitions() -> Split:
    """States, pushes at random, rewards and the states that follow; an episode in 20 ends there."""
    draw = np.random.default_rng(0)
    state, action = draw.uniform(-2, 2, (4000, 2)), draw.integers(0, 3, 4000)
    following, reward = pushed(state, action)
    ended = draw.random(4000) < 0.05
    return split(state, action, reward, following, ended.astype(int), share=0.9)


class Values(Published):
    """The package's loss, whose second network follows the first one slowly."""

    def __init__(self) -> None:
        from torchrl.data import Categorical
        from torchrl.modules import MLP, QValueActor
        from torchrl.objectives import DQNLoss, SoftUpdate

        actor = QValueActor(
            MLP(in_features=2, out_features=3, num_cells=[64, 64]), in_keys=["observation"],
            spec=Categorical(3), action_space="categorical",
        )  # fmt: skip
        loss = DQNLoss(actor, action_space="categorical", delay_value=True)
        loss.make_value_estimator(gamma=0.9)
        super().__init__(loss, self.error, adam(2e-3))
        self.updater = SoftUpdate(loss, eps=0.95)

    @staticmethod
    def error(loss: Any, batch: Any) -> dict[str, Tensor]:
        from tensordict import TensorDict

        state, action, reward, following, ended = batch
        done = ended.bool()[:, None]
        following = {
            "observation": following, "reward": reward[:, None], "done": done, "terminated": done
        }  # fmt: skip
        rows = {"observation": state, "action": action, "next": following}
        return {"loss": loss(TensorDict(rows, [len(state)]))["loss"]}

    def on_train_batch_end(self, *_: Any) -> None:
        self.updater.step()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """What the best known pushes earn in 20 steps, a step."""
        super().validation_step(batch, batch_idx)
        from tensordict import TensorDict

        state, earned = batch[0].double().numpy(), []
        for _ in range(20):
            now = TensorDict({"observation": as_tensor(state)}, [len(state)])
            action = self.network.value_network(now)["action"]  # type: ignore[operator,union-attr]
            state, reward = pushed(state, action.numpy())
            earned.append(reward.mean())
        self.log("val_reward", float(np.mean(earned)), batch_size=len(state))


def ensemble() -> LightningModule:
    """Each of the ensemble's answers is compared with the target, as the package insists."""
    from rtdl_num_embeddings import PiecewiseLinearEmbeddings, compute_bins
    from tabm import TabM

    bins = compute_bins(table().train[0], n_bins=16)
    numbers = PiecewiseLinearEmbeddings(bins, 12, activation=False, version="B")
    network = TabM.make(
        n_num_features=8, d_out=1, num_embeddings=numbers, k=16, n_blocks=2, d_block=96
    )

    def step(network: nn.Module, batch: Any) -> dict[str, Tensor]:
        x, y = batch
        found = network(x).squeeze(-1)
        loss = F.mse_loss(found, y[:, None].expand_as(found))
        return {"loss": loss, "mse": F.mse_loss(found.mean(1), y)}

    return Published(network, step, adamw(2e-3, weight_decay=3e-4))


@cache
def picture() -> Split:
    """40 copies of a flower, of 48 by 48 pixels."""
    pixels = as_tensor(load_sample_image("flower.jpg")[:, 106:533].copy()).float().mean(-1)
    image = F.interpolate(pixels[None, None] / 255, size=(48, 48), mode="area")[0]
    return Split((image.expand(40, 1, 48, 48),), (image[None],))


def sines() -> LightningModule:
    """Brightness as a function of the place, which is the whole of the network's input."""
    from siren_pytorch import SirenNet, SirenWrapper

    network = SirenWrapper(
        SirenNet(dim_in=2, dim_hidden=96, dim_out=1, num_layers=3, w0_initial=30.0), 48, 48
    )
    return Published(network, lambda network, batch: {"loss": network(batch[0])}, adam(5e-4))


CASES = (
    # Pushing at random earns -1.8 a step; the best linear rule, -0.18.
    tensor_case(
        "torchrl/DQN", "push to the middle", Values, transitions, 15,
        Goal("val_reward", at_least=-0.3), batch_size=64,
    ),
    tensor_case(
        "tabm/TabM", "regression", ensemble, table, 12, Goal("val_mse", at_most=0.15),
        batch_size=128,
    ),
    # The variance of the pixels is 0.05.
    tensor_case(
        "siren_pytorch/SirenNet", "an image", sines, picture, 12, Goal("val_loss", at_most=0.002),
        batch_size=1, trainer={"inference_mode": False},
    ),
)  # fmt: skip
