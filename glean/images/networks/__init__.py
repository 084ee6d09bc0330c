"""Networks in PyTorch: what they are built of, how they learn and what they say of pictures."""
