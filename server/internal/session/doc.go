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
// connection and flushes once. Who steps is not the Viewer's business: Serve
// does it on a goroutine.
//
// Fragments are never copied for a viewer. A viewer who takes them too slowly
// climbs down a ladder (see Ladder) and is told of each rung.
package session
