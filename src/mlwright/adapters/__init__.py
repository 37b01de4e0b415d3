"""One folder a technology. Each fills ports, or opens a standard seam, and knows no stage."""
