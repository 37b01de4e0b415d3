"""Models, their numbered versions, and the aliases that point at them."""
