"""Sources of labelled images: files, folders, torchvision's data sets, arrays."""
