// Package httppush lets anything that can send an HTTP request publish: the body
// of a PUT or POST to a stream's URL is its media, for as long as it lasts.
//
//	ffmpeg ... -f mpegts http://host/publish/cam
//
//	body -> recognised from its first bytes -> mp4, mpegts, webm or flv
//	                                        -> a converter, for other containers
//	     -> publish.Publication
//
// The Content-Type is not looked at: encoders send none, or a wrong one.
package httppush
