// Package session serves one viewer after the other's example: none knows of
// the rest.
//
//	            commands, one goroutine           batches, one driver
//	client ---> Receive -> Viewer.handle -.     .-> Viewer.Step -> Send, Flush ---> client
//	                                       v   |
//	                        [ mu: settings, playback, control queue ]
//	                                           ^
//	                             hub: Cursor --'
//
// A Viewer is a state machine. Its inbound side is fed with messages; its
// outbound side is stepped: a step gathers what is due from the control queue
// and from the viewer's place in the stream into one batch, hands it to the
// connection and flushes once. Who steps is not the Viewer's business: until it
// has caught up with its stream, and whenever its connection is slow, it has a
// goroutine of its own; while it keeps up, it sits in the stream's audience (see
// audience), where one goroutine serves a row of viewers with frames that were
// made once for all of them (see press).
//
// Fragments are never copied for a viewer. A viewer who takes them too slowly
// climbs down a ladder (see Ladder) and is told of each rung.
package session
