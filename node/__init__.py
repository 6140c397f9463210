"""A Xinqiao node: the pure core, its ports, and everything that runs around them."""
