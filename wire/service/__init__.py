"""What every service of both ends tells the service manager and the journal."""
