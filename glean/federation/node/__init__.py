"""A bakery's lasting node, which answers a SuperLink with the Glean that is installed."""
