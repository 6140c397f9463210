"""What a node verifies and computes, without clock, network, storage or randomness."""
