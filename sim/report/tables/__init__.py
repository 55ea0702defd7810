"""The numbers of a run as tables of words and notes, for the terminal and for the report alike."""
