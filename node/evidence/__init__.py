"""Evidence: one record, provable to a third party without its neighbours and without a network."""
