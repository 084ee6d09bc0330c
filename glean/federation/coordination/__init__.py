"""The server's talk with clients: who is there, what they are asked, what they sum."""
