"""What the service remembers, in a database: but for accounts it can be made anew from the disk."""
