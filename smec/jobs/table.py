"""`smec table`."""
