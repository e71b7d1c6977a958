// Package client plays, commands and publishes streams of a Framewire server.
//
// A Session is one WebSocket. Receive yields what the server sends, in order;
// the commands may be called from any goroutine meanwhile, and return when the
// server has answered:
//
//	s, err := client.Dial(ctx, "ws://localhost:8080/ws", client.Options{})
//	...
//	defer s.Close()
//	if err := s.Play(ctx, "demo"); err != nil { ... }
//	for m, err := range s.Messages(ctx) { ... }
//
// Whoever does not Receive is not sent to: after a few megabytes the server
// finds the client too slow, thins out the stream and ends the session. Answers
// to commands then wait behind what was not received.
//
// Publish puts a stream on the server, over the same session:
//
//	p, err := s.Publish(ctx, &framewirev1.PublishStart{Stream: "cam", Tracks: tracks})
//	...
//	err = p.Write(ctx, sample)
package client
