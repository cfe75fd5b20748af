"""What Taskgraph costs, beside the floor and what people would use instead: `just bench`."""
