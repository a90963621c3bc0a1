"""Networks that classify windows of poses."""
