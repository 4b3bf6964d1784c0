import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.training import environment, run

WORKER = Path(__file__).with_name("train_on_ranks.py")
SECONDS = 100


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run_nodes(nodes: int, arguments: list[str], folder: Path) -> None:
    """One torchrun for each node, all on this machine, and a failure with what each one said."""
    place = ["--master-addr", "127.0.0.1", "--master-port", str(free_port())]
    shape = ["--nnodes", str(nodes), "--nproc-per-node", "1", "--max-restarts", "0"]
    command = [sys.executable, "-m", "torch.distributed.run", *shape, *place]
    processes, logs = [], [folder / f"node{node}.log" for node in range(nodes)]
    try:
        for node, log in enumerate(logs):
            with log.open("w") as output:
                started = subprocess.Popen(
                    [*command, "--node-rank", str(node), *arguments],
                    cwd=folder,
                    env=environment(OMP_NUM_THREADS="1"),
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            processes.append(started)
        codes = [process.wait(SECONDS) for process in processes]
    except subprocess.TimeoutExpired:
        codes = [process.poll() for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                process.terminate()  # torchrun ends its own workers
                process.wait(30)
    said = "\n".join(log.read_text() for log in logs)
    assert codes == [0] * nodes, f"Exit codes {codes} of the nodes:\n{said}"


def test_two_nodes_record_what_one_process_does(tmp_path):
    run([sys.executable, WORKER, 1, tmp_path / "1"], tmp_path)
    run_nodes(2, [str(WORKER), "2", str(tmp_path / "2"), "2"], tmp_path)
    history, masks = torch.load(tmp_path / "1.0")
    assert len(history) == 3
    assert masks["network.2"][3]
    for rank in (0, 1):
        other_history, other_masks = torch.load(tmp_path / f"2.{rank}")
        assert other_masks == masks
        assert other_history.keys() == history.keys()
        for layer, norms in history.items():
            assert other_history[layer] == pytest.approx(norms, rel=1e-4)
