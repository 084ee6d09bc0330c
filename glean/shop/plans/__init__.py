"""Plans: when they are made, where they are kept, and the list that follows from one."""
