"""The node's gRPC edge: servers, clients, and how refusals travel between them."""
