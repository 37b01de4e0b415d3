"""Features: values of a data set as they were known at an instant, offline and online alike."""
