"""The gRPC door of an inference process: the Open Inference Protocol v2, in a process of its own."""
