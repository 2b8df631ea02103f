"""The stock packages put together as their documentation says, to be measured beside us."""
