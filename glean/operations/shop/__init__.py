"""What the bakery's own page asks of pandas: its plans, what they bring, its table that grows."""
