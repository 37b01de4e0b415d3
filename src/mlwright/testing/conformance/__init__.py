"""One exam per port. An engine's test module subclasses the exam and supplies the fixtures it names."""
