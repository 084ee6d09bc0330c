"""What a run, a model or a bakery's ledger comes to, for people."""
