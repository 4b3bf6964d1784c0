"""Fully sharded data parallelism (FSDP2)."""

from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard


def shard_by_layer(network: nn.Module, mesh: DeviceMesh) -> None:
    """Shard the network in place, each of its blocks as a unit of its own.

    Blocks are the children of the network, and of its containers, that have parameters. Called
    again, as Lightning does for each of fit, validate and test, it changes nothing.

    Args:
        network: Changed in place: its parameters become ``DTensor``.
        mesh: The ranks to shard over, one dimension.
    """
    if isinstance(network, FSDPModule):
        return
    for block in _blocks(network):
        fully_shard(block, mesh=mesh)
    fully_shard(network, mesh=mesh)


def _blocks(module: nn.Module) -> list[nn.Module]:
    blocks = []
    for child in module.children():
        if isinstance(child, (nn.Sequential, nn.ModuleList)):
            blocks += _blocks(child)
        elif any(True for _ in child.parameters()):
            blocks.append(child)
    return blocks
