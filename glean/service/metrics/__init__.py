"""What an operator's Prometheus reads of a service: made of the database and the runs' folders."""
