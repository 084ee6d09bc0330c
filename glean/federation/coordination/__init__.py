"""How the server coordinates clients: who is there, what they are asked, what they sum."""
