"""Several processes with a device each; their collectives take tensors on the device alone.

As NCCL's do; gloo exchanges them on the host.
"""

import os

import torch
import torch.distributed as dist
from device import DEVICE, NAME, AnotherAccelerator
from lightning.fabric.utilities.seed import reset_seed
from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy
from torch.distributed import distributed_c10d

BACKEND = "hosted"


class Done(dist._Work):
    """What is over already."""

    def __init__(self, results):
        super().__init__()
        self.future = torch.futures.Future()
        self.future.set_result(results)

    def wait(self, timeout=None):
        return True

    def is_completed(self):
        return True

    def get_future(self):
        return self.future


class HostedGroup(dist.ProcessGroup):
    """Collectives over tensors on the device."""

    def __init__(self, store, rank, size, timeout):
        super().__init__(rank, size)
        self.host, self.ranks = dist.ProcessGroupGloo(store, rank, size, timeout), size

    @property
    def _device_types(self):
        return [torch.device(NAME)]

    @property
    def group_name(self):
        return distributed_c10d._world.pg_names[self]

    def size(self):
        return self.ranks

    def getBackendName(self):
        return BACKEND

    def barrier(self, opts=None):
        self.host.barrier().wait()
        return Done([])

    def allreduce(self, tensors, opts=None):
        tensors = [tensors] if isinstance(tensors, torch.Tensor) else tensors
        options = opts or dist.AllreduceOptions()
        copies, is_mean = on_host(tensors), options.reduceOp == dist.ReduceOp.AVG
        if is_mean:  # gloo has no mean
            options.reduceOp = dist.ReduceOp.SUM
        self.host.allreduce(copies, options).wait()
        return brought_back(tensors, [c / self.ranks if is_mean else c for c in copies])

    def broadcast(self, tensors, opts):
        copies = on_host(tensors)
        self.host.broadcast(copies, opts).wait()
        return brought_back(tensors, copies)

    def allgather(self, outputs, tensors, opts=None):
        copies = [on_host(ranks) for ranks in outputs]
        self.host.allgather(copies, on_host(tensors)).wait()
        for ranks, found in zip(outputs, copies, strict=True):
            brought_back(ranks, found)
        return Done(outputs)

    def gather(self, outputs, tensors, opts):
        copies = [on_host(ranks) for ranks in outputs]
        self.host.gather(copies, on_host(tensors), opts).wait()
        for ranks, found in zip(outputs, copies, strict=True):
            brought_back(ranks, found)
        return Done(outputs)

    def scatter(self, outputs, tensors, opts):
        copies = on_host(outputs)
        self.host.scatter(copies, [on_host(ranks) for ranks in tensors], opts).wait()
        return brought_back(outputs, copies)

    def all_gather_single(self, output, tensor, opts=None):
        (copy,) = on_host([tensor])
        ranks = [torch.empty_like(copy) for _ in range(self.ranks)]
        self.host.allgather([ranks], [copy]).wait()
        return brought_back([output], [torch.cat([r.flatten() for r in ranks]).view(output.shape)])

    def reduce_scatter_single(self, output, tensor, opts):
        copies, summing = on_host([tensor]), dist.AllreduceOptions()
        self.host.allreduce(copies, summing).wait()
        part = copies[0].flatten().chunk(self.ranks)[self.rank()].view(output.shape)
        is_mean = opts.reduceOp == dist.ReduceOp.AVG
        return brought_back([output], [part / self.ranks if is_mean else part])

    def allreduce_coalesced(self, tensors, opts=None):
        return self.allreduce(tensors, opts)

    def allgather_into_tensor_coalesced(self, outputs, tensors, opts=None):
        for output, tensor in zip(outputs, tensors, strict=True):
            self.all_gather_single(output, tensor)
        return Done(outputs)

    def reduce_scatter_tensor_coalesced(self, outputs, tensors, opts):
        for output, tensor in zip(outputs, tensors, strict=True):
            self.reduce_scatter_single(output, tensor, opts)
        return Done(outputs)

    # Names of other releases of torch.
    _allgather_base, _reduce_scatter_base = all_gather_single, reduce_scatter_single
    all_gather_single_coalesced = allgather_into_tensor_coalesced
    reduce_scatter_single_coalesced = reduce_scatter_tensor_coalesced


def on_host(tensors):
    strangers = [tensor.device for tensor in tensors if tensor.device.type != NAME]
    if strangers:
        raise RuntimeError(f"No backend type associated with device type {strangers[0].type}.")
    return [tensor.detach().cpu() for tensor in tensors]


@torch.no_grad()
def brought_back(tensors, copies):
    for tensor, copy in zip(tensors, copies, strict=True):
        tensor.detach().copy_(copy)
    return Done(tensors)


def join_group(strategy):
    """Set up the process group of a strategy, as it would."""
    reset_seed()
    strategy.set_world_ranks()
    cluster = strategy.cluster_environment
    os.environ["MASTER_ADDR"] = cluster.main_address
    os.environ["MASTER_PORT"] = str(cluster.main_port)
    ranks = {"rank": cluster.global_rank(), "world_size": cluster.world_size()}
    if not dist.is_initialized():
        dist.init_process_group(BACKEND, **ranks)


class HostedStrategy(DDPStrategy):
    @property
    def root_device(self):
        return DEVICE

    def determine_ddp_device_ids(self):
        return None

    def setup_distributed(self):
        join_group(self)


class ShardedStrategy(ModelParallelStrategy):
    @property
    def root_device(self):
        return DEVICE

    def _setup_distributed(self):
        join_group(self)


def on_two_devices(strategy=HostedStrategy, **arguments):
    """Arguments of a Trainer with two processes, each with a device."""
    dist.Backend.register_backend(BACKEND, HostedGroup, devices=[NAME])
    distributed_c10d._get_object_coll_device = lambda group=None: DEVICE
    strategy = strategy(process_group_backend=BACKEND, **arguments)
    return {"accelerator": AnotherAccelerator(), "devices": 2, "strategy": strategy}


def sharing_two_devices(*, distributed=True):
    """The same, for layers that the two share."""
    saving = {"save_distributed_checkpoint": distributed}
    plan = {"data_parallel_size": 2, "tensor_parallel_size": 1}
    return on_two_devices(ShardedStrategy, **plan, **saving)
