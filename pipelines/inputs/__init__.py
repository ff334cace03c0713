"""Files that a user names: what they hold, how they are compressed, and the lines of their text."""
