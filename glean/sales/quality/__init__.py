"""What is unusual in a sales table."""
