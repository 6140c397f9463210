"""Python modules generated from proto/xinqiao/v1; never edited by hand.

`scripts/gen_proto` writes them and a test compares. The package is flat: xinqiao/v1/channel.proto becomes
node.pb.channel_pb2 (messages, with types beside it) and, where the file declares a service, node.pb.channel_pb2_grpc.
Descriptors and messages keep the schema's names (xinqiao.v1.EntryHeader): those are what a peer sees.
Only node/rpc and registry/server import the *_pb2_grpc modules, which need grpc; everybody may import the messages.
"""
