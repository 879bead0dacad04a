"""Where a float network and its labels come from."""
