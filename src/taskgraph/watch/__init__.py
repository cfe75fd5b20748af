"""A live run, asked from another process: DuckDB lets nobody else read a file while it is written.

address   where the run listens: a socket that only its user can reach
wire      what is asked and answered: one line of JSON each
reader    what SQL of a person may do: read everything, and nothing else
server    in the process of the run
client    in any other of the same user, on the same machine

Unix-domain sockets only: on Windows nothing listens, and a file can be looked at when its run has
ended.
"""
