"""What people enter on the page: a SQLite file in the home, a module for each noun."""
