"""Read a W&B offline file back: LevelDB record framing around W&B's own protobuf records."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HEADER, BLOCK, RECORD_HEADER = 7, 32_768, 7
FULL, LAST = 1, 4


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
