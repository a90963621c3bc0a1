"""What the node receives: subscriptions, checks, conversion."""
