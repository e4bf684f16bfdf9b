"""What a run would do, why, and what it will cost; nothing is run."""
