"""What the rows of the gallery claim, a file each."""
