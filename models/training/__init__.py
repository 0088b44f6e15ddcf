"""How the network was made: places, views, noise, training, export. Needs PyTorch; the daemon never does."""
