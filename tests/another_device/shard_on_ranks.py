"""What other scripts do with layers that two ranks share, with a device for each rank."""

import sys

import restore_shards
import train_sharded
from helpers.training import leave_group
from ranks import sharing_two_devices

if __name__ == "__main__":
    if sys.argv[1] == "train":
        train_sharded.main(2, sys.argv[2], lambda ranks: sharing_two_devices())
    else:
        restore_shards.main(sys.argv[2], sharing_two_devices)
    leave_group()
