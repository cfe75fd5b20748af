"""Taskgraph."""
