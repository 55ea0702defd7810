"""What all pictures are made with: the figure, axes, lines over time, fewer points, files."""
