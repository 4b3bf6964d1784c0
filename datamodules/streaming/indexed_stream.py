"""Items of a litdata stream, each with its index."""

from typing import Any

from .streamed_item import Reading, image_and_label

try:
    from litdata import StreamingDataset  # type: ignore[import-not-found,unused-ignore]
except ImportError:  # raised when a stream is opened
    StreamingDataset = object


class IndexedStream(StreamingDataset):  # type: ignore[misc]
    """Image, label and index of each item, in whatever order litdata reads them.

    Args:
        url: Folder or URL that ``litdata.optimize`` wrote to.
        read: Extracts image and label from an item; None accepts pairs and the usual keys.
        settings: Arguments of ``litdata.StreamingDataset``.

    Raises:
        ModuleNotFoundError: If litdata is not installed.
    """

    def __init__(self, url: str, read: Reading | None = None, **settings: Any) -> None:
        if StreamingDataset is object:
            raise ModuleNotFoundError(
                "Expected litdata to read a stream, but it is not installed. Install it with "
                "`pip install 'torchvitals[stream]'`."
            )
        super().__init__(url, **settings)
        self._read = read or image_and_label

    def __getitem__(self, index: Any) -> tuple[Any, int, int]:
        image, label = self._read(super().__getitem__(index))
        return image, label, int(getattr(index, "index", index))
