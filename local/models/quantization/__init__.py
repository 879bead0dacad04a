"""From the float network to INT8."""
