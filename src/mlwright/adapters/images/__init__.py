"""Images: engines that build and run them, and the packages that go into them."""
