"""What runs learn from and what they made: uploaded tables, and models with their versions."""
