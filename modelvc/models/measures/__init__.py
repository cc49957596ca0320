"""What was measured on a version, and what a policy makes of it."""
