"""The stock packages' list of orders, on our tables."""
