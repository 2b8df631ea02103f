"""The stock packages as their documentation puts them together: what the probes are seen to find."""
