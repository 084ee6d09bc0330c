"""A whole federation on this machine, to try before anyone travels: brought up, run, taken down."""
