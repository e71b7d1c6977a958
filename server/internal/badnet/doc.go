// Package badnet makes bad networks that can be repeated: a TCP proxy whose
// two directions each have a delay, jitter, stalls, a rate and a queue, and
// which can be cut.
//
//	client ──▶ read ─▶ queue ─▶ wait ─▶ write ──▶ server     Profile.Up
//	client ◀── write ◀─ wait ◀─ queue ◀─ read ◀── server     Profile.Down
//
// A direction reads only while its queue has room. What the far side cannot
// send stays in its own socket, so that a server behind a squeezed link feels
// it as it would in the field. Bytes are never lost, changed or reordered: what
// a lossy network does to a TCP connection is to hold it up, and Stall does
// that. A client's connect succeeds at once, however long the delay: the
// kernel answers it.
//
// Chance comes from a seed. Which 100 ms slots stall depends on the seed and on
// the time since the profile was set, not on the traffic.
package badnet
