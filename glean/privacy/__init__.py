"""What keeps a federation among its members: certificates and keys."""
