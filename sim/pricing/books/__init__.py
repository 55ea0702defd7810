"""Price books: what sellers list, in which currency, and what a GPU costs by one of them."""
