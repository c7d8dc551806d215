"""`smec figure`."""
