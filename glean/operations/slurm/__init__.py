"""What is said to SLURM: what a job asks for, submitted, looked after, cancelled."""
