"""The engineer's report for people and for programs of others: terminal, one HTML file, SARIF."""
