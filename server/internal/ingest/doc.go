// Package ingest turns what a source or publisher produces into a stream.
//
//	Source.Run -> Run (Sink) -> timeline -> grouping -> mp4 -> envelope -> hub
//
// A Feed belongs to a stream for as long as the stream lives. Each life of a
// source is one Run of the Feed: it opens an epoch, and its times are laid behind
// those of the runs before it, so that decode times only grow. Supervise starts a
// source again when it ends.
package ingest
