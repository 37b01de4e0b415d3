"""``mlwright demo``: a year of real flights, from raw data to a retrained and promoted model."""
