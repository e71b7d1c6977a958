/** Binary protobuf both ways. */
export const subprotocol = "framewire.v1.proto";
