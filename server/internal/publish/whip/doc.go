// Package whip lets browsers and encoders publish over WebRTC, by the protocol of
// RFC 9725.
//
//	POST offer -> Desk.Open -> session -> answer
//
//	RTP -> jitter -> depacket -> elementary -> publish.Publication
//	    <- NACK, PLI, transport-wide feedback
//
// The server is an ICE-lite agent on one UDP port: it answers connectivity checks
// and sends none, so that no publisher can make it send packets to an address of
// his choice, and candidates in offers and trickled ones need no looking at.
//
// A session is one goroutine that owns all its media, one that reads RTP and one
// that reads RTCP for each track, and those of the WebRTC stack. All have ended
// when the session has.
package whip
