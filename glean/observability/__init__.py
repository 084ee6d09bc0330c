"""What an operator watches: checks of health, metrics and logs for machines."""
