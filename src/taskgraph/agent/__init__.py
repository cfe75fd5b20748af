"""The agent: its prompts, its one tool, and the loop that drives it."""
