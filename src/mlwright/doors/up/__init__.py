"""The processes of ``mlwright up``: a supervisor, a control process, and inference processes."""
