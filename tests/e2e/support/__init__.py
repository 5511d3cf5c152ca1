"""What the end-to-end tests are written with: weir itself, a real Apache, scripted origins, and raw clients."""
