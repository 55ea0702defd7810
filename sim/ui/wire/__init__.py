"""What the page and the server say to each other: questions, answers, links, and how much may be asked."""
