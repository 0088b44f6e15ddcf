"""Random faults on whole devices: real processes, a real broker, real files, and an account that has to come out."""
