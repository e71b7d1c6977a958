// Package wire turns the messages of the protocol into plain Go values and back.
// It is where generated code ends: what comes out of Decode has been checked
// against every bound that the schema's comments state, so the rest of the
// program need not look again.
//
//	bytes --Decode--> ClientMessage: Hello, Command, Ping, Report, DirectiveResult
//	ServerMessage: Welcome, State, Result, Gap, ... --Encode--> bytes
//
// Fragments and StreamStarted are encoded once for all viewers; see
// AppendFragment and StreamStarted.
package wire
