"""The training of `train_sharded`, on one device or sharded over two."""

import sys

from device import on_device
from helpers.training import leave_group
from ranks import on_two_devices
from train_sharded import main

if __name__ == "__main__":
    main(
        int(sys.argv[1]),
        sys.argv[2],
        lambda ranks: on_two_devices(sharded=True) if ranks == 2 else on_device(),
    )
    leave_group()
