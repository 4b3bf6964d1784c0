"""Where `ImageDataModule` reads images, and what it checks and shows of them."""
