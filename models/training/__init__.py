"""How the network of models/ was made: places, views, noise, loss, training, export. Needs PyTorch; the daemon never does."""
