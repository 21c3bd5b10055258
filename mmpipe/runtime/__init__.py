"""Where and how models run: device and precision, batches under a token budget, weights shared in memory."""
