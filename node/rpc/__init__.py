"""The node's gRPC edge: servers, clients, and how refusals travel between them."""

import os

# gRPC's own words about failed handshakes go to stderr past every setting; ours say who, why and what next.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
