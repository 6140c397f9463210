"""The membership authority's application: officers decide offline, the registry publishes what they signed."""
