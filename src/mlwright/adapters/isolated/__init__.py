"""Models in processes of their own, each with the packages that it asks for, over a socket and shared memory."""
