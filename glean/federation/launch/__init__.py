"""Starting runs, and following them to their end."""
