"""HTTP: the inference server and the control server."""
