"""Shipped with the package: conformance suites for every port, and perfect in-memory fakes."""
