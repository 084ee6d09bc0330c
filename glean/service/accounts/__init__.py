"""Who may do what: tokens, sessions of browsers, and limits on guessing."""
