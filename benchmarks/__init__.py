"""What it costs: against the stock packages and against the physical limit, side by side in one run."""
