"""What fires, who is told of it, and what is kept quiet, as a stack's Alertmanager has it."""
