"""Who belongs to a federation: invited, joined, shut out; and what others see of it."""
