"""Where labelled images come from: files, folders, torchvision's sets, arrays."""
