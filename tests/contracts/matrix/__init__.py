"""Every address, person and row of the product, each with the answer that the declared rights ask for."""
