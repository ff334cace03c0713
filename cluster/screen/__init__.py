"""What a user sees in the terminal: progress, tables, notes, and the command that was given."""
