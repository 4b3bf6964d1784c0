"""Read a W&B offline file back: LevelDB record framing around W&B's own protobuf records."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HEADER, BLOCK, RECORD_HEADER = 7, 32_768, 7
FULL, LAST = 1, 4


def finished_file(folder: Path, pattern: str, seconds: float = 60.0) -> Path:
    """File of the pattern whose run has ended: W&B writes it in a process of its own.

    Raises:
        TimeoutError: If no such file has ended by then.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for path in folder.glob(pattern):
            if _has_ended(path):
                return path
        time.sleep(0.05)
    raise TimeoutError(f"No finished run under {folder / pattern} after {seconds} s.")


def _has_ended(path: Path) -> bool:
    from google.protobuf.message import DecodeError
    from wandb.proto import wandb_internal_pb2 as proto

    try:
        records = [proto.Record.FromString(p) for p in _payloads(path.read_bytes())]
    except DecodeError:  # half of a record has been written
        return False
    return any(record.HasField("exit") for record in records)


def history(path: Path) -> list[dict[str, Any]]:
    """Logged rows, in order."""
    from wandb.proto import wandb_internal_pb2 as proto

    rows = []
    for payload in _payloads(path.read_bytes()):
        record = proto.Record.FromString(payload)
        if record.HasField("history"):
            items = record.history.item
            rows.append({i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in items})
    return rows


def series(path: Path, name: str) -> dict[int, float]:
    """Values of one metric by step of the Trainer."""
    return {row["trainer/global_step"]: row[name] for row in history(path) if name in row}


def summary(path: Path) -> dict[str, Any]:
    """Last value of each entry of the summary that was set by hand."""
    from wandb.proto import wandb_internal_pb2 as proto

    records = [proto.Record.FromString(payload) for payload in _payloads(path.read_bytes())]
    items = [item for r in records if r.HasField("summary") for item in r.summary.update]
    return {i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in items}


def axes(path: Path) -> dict[str, str]:
    """Metric that each named or globbed metric is drawn over."""
    from wandb.proto import wandb_internal_pb2 as proto

    records = [proto.Record.FromString(payload) for payload in _payloads(path.read_bytes())]
    metrics = [record.metric for record in records if record.HasField("metric")]
    return {metric.glob_name or metric.name: metric.step_metric for metric in metrics}


def alerts(path: Path) -> list[tuple[str, str]]:
    """Title and text of each alert."""
    from wandb.proto import wandb_internal_pb2 as proto

    records = [proto.Record.FromString(payload) for payload in _payloads(path.read_bytes())]
    return [(r.alert.title, r.alert.text) for r in records if r.HasField("alert")]


def _payloads(data: bytes) -> Iterator[bytes]:
    position, fragments = HEADER, b""
    while position + RECORD_HEADER <= len(data):
        room = BLOCK - position % BLOCK
        if room < RECORD_HEADER:
            position += room
            continue
        length = int.from_bytes(data[position + 4 : position + 6], "little")
        kind, start = data[position + 6], position + RECORD_HEADER
        fragments += data[start : start + length]
        position = start + length
        if kind in (FULL, LAST):
            yield fragments
            fragments = b""
