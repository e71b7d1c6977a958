// Package web serves a browser and everything else that speaks HTTP: the pages,
// the protocol on /ws, and streams as plain HTTP media.
//
//	net.Listener -> Listen -> Conn -> http.Server -> Server: routes
//	                           ^                        |
//	                           |                      /ws: coder/websocket
//	                           |                        |
//	                           '--one write a batch-- socket <- session
//
// The cost of a viewer is its system calls. The library under a session writes
// each WebSocket message by itself; Conn holds what it writes until the session
// has no more to say, and then sends all of it at once. Messages pass the library
// by where they can (see direct).
package web
