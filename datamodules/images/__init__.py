"""What `ImageDataModule` measures, checks and shows of its images, and how it loads them."""
