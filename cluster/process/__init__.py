"""How the process of a command ends, whatever ends it: its signals, the processes it has started, and its local Ray."""
