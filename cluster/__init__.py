"""Where raygene runs: the command line, the experiment file and the connection to Ray. Imports all; nothing imports it."""
