"""Requests that leave this machine: to which addresses they may, and by connections with limits."""
