"""The production code on a virtual clock, network and disk, replayed from a seed."""
