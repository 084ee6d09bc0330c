"""The page on the shop's own network: its certificate, its addresses, and who is let in."""
