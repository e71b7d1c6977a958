// Package load is many viewers at once, each as cheap as it can be, to measure a
// server with.
//
//	Run -> join at a given rate -> shard: epoll, one buffer -> viewer.feed -> tally
//	                           \-> goroutine: TLS, slow viewers -^
//
// A viewer speaks just enough of WebSocket and of the protocol to know what it
// receives: the header of each frame, and of a fragment the envelope in front of
// the media, which it throws away. That is why this package has a WebSocket
// reader of its own: a library hands out whole messages, at the cost of a buffer
// and several wake-ups for each connection, and a load generator that costs more
// than the server cannot stand beside it on one machine.
package load
