// Package media holds the plain values that every other package speaks of:
// tracks, samples, packets and their times. It does no I/O and imports nothing
// of the project.
//
//	source -> Sample -> ingest -> Packet -> hub -> viewers
//
// A Sample is one access unit with its container taken off. A Packet is a CMAF
// chunk with its envelope, ready for the wire.
package media
